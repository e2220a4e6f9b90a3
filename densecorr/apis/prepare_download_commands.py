"""Sub-commands of ``tools/prepare_data.py`` that fetch and extract published data."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

SPLITS = ('trainval', 'test-dev')


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add ``davis`` and ``jhmdb-frames``."""
    _add_davis(commands)
    _add_jhmdb_frames(commands)


def _add_davis(commands: argparse._SubParsersAction) -> None:
    text = 'fetch the public archive of DAVIS-2017 at 480p, unpack it and check it'
    parser = commands.add_parser('davis', help=text, description=text)
    parser.set_defaults(run=_run_davis)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--download', action='store_true', help='fetch it; what is there is kept'
    )
    source.add_argument(
        '--archive', metavar='ZIP', help='unpack a file that was fetched elsewhere'
    )
    parser.add_argument('--split', choices=SPLITS, default=SPLITS[0])
    parser.add_argument(
        '--out', default='data/davis', metavar='ROOT', help='default: %(default)s'
    )
    parser.add_argument(
        '--checksum', help='sha256, sha1 or md5 of the archive; default: it is printed'
    )
    parser.add_argument('--address', help='another address of the same archive')


def _run_davis(args: argparse.Namespace) -> Iterator[str]:
    from densecorr.apis.prepare_download import prepare_davis  # slow: images, video

    return prepare_davis(
        args.out,
        args.split,
        archive=args.archive,
        address=args.address,
        checksum=args.checksum,
    )


def _add_jhmdb_frames(commands: argparse._SubParsersAction) -> None:
    text = 'extract the frames of JHMDB from its videos; goes on where it was stopped'
    parser = commands.add_parser('jhmdb-frames', help=text, description=text)
    parser.set_defaults(run=_run_jhmdb_frames)
    parser.add_argument(
        '--data',
        default='data/jhmdb',
        metavar='ROOT',
        help='folder of ReCompress_Videos; default: %(default)s',
    )
    parser.add_argument('--actions', nargs='+', metavar='NAME', help='default: all')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='write all frames of incomplete clips again, also those that are there',
    )


def _run_jhmdb_frames(args: argparse.Namespace) -> Iterator[str]:
    from densecorr.apis.prepare_jhmdb_frames import extract_jhmdb_frames  # slow: video

    return extract_jhmdb_frames(
        args.data, actions=args.actions, overwrite=args.overwrite
    )
