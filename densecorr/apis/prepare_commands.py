"""Sub-commands of ``tools/prepare_data.py`` that write generated clips.

Every module of sub-commands has ``add_commands``. It adds parsers whose default ``run``
takes the parsed arguments and returns the lines to print; what takes long to import is
imported there, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

LAYOUTS = 'davis davis_unsupervised davis2016 ytvos jhmdb vip voc video'


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add ``spriteworld``."""
    text = 'generated clips with exact labels, in the layouts of published data sets'
    parser = commands.add_parser('spriteworld', help=text, description=text)
    parser.set_defaults(run=_run_spriteworld)
    parser.add_argument('out', metavar='OUT', help='folder; new, or of such a run')
    parser.add_argument(
        '--layouts',
        nargs='+',
        metavar='NAME',
        help=f'of {LAYOUTS}; default: all that suit the clips',
    )
    parser.add_argument(
        '--presets', nargs='+', metavar='NAME', help='kinds of clips, taken in turn'
    )
    parser.add_argument('--clips', type=int, help='default: one for each preset')
    parser.add_argument(
        '--train-clips', type=int, default=2, help='further clips, for train splits'
    )
    parser.add_argument('--frames', type=int, default=20, help='of each clip')
    parser.add_argument(
        '--size', type=int, nargs=2, default=[240, 432], metavar=('H', 'W')
    )
    parser.add_argument('--seed', type=int, default=0, help='of the first clip')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a run with other settings; only its files are removed',
    )


def _run_spriteworld(args: argparse.Namespace) -> Iterator[str]:
    from densecorr.apis.prepare_data import prepare_spriteworld  # slow: mmengine

    summary = prepare_spriteworld(
        args.out,
        layouts=args.layouts,
        presets=args.presets,
        clips=args.clips,
        frames=args.frames,
        size=tuple(args.size),
        seed=args.seed,
        train_clips=args.train_clips,
        overwrite=args.overwrite,
    )
    for name, facts in summary['layouts'].items():
        yield (
            f'{name:<19} {facts["clips"]:3d} clips {facts["files"]:6d} files  '
            f'{facts["folder"]}'
        )
    written = f' {summary["written"]} files' if summary['written'] else ''
    yield f'{summary["out"]}: {summary["status"]}{written}'
