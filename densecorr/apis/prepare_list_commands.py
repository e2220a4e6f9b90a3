"""Sub-command ``lists`` of ``tools/prepare_data.py``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

NAMES = (
    'davis2017_val_list youtube2018_train jhmdb_val_list vip_train_videos '
    'vip_val_videos train_ytvos train_oxuva train_tracking train_kinetics400 '
    'val_davis2017_480p val2_davis2017_480p val_davis2017_test val_ytvos2018_test'
)


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add ``lists``."""
    text = 'a list of frames or videos in a published format, made from folders'
    parser = commands.add_parser('lists', help=text, description=text)
    parser.set_defaults(run=_run_lists)
    parser.add_argument('name', metavar='NAME', help=f'one of {NAMES}')
    parser.add_argument('--data', metavar='ROOT', help='folder of the data set')
    parser.add_argument(
        '--out',
        metavar='FILE',
        required=True,
        help='file to write, or a folder, in which it gets its usual name',
    )
    parser.add_argument(
        '--base',
        metavar='FOLDER',
        help="paths in DUL's lists are relative to it; default: the parent of ROOT",
    )
    parser.add_argument(
        '--every',
        type=int,
        default=1,
        metavar='N',
        help='YouTube-VOS: only frames whose number is a multiple of N (5 is as '
        'published, where ROOT holds all frames)',
    )
    parser.add_argument(
        '--all-frames',
        action='store_true',
        help='val_ytvos2018_test: list valid_all_frames, flag the frames of valid',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace a file of other content'
    )


def _run_lists(args: argparse.Namespace) -> Iterator[str]:
    from densecorr.apis.prepare_lists import write_list  # slow: mmengine

    summary = write_list(
        args.name,
        args.out,
        args.data,
        base=args.base,
        every=args.every,
        all_frames=args.all_frames,
        overwrite=args.overwrite,
    )
    for note in summary['notes']:
        yield f'Note: {note}'
    yield (
        f'{summary["path"]}: {summary["status"]}, {summary["videos"]} videos, '
        f'{summary["frames"]} frames'
    )
