"""Sub-commands of ``tools/prepare_data.py`` that write copies and trees of links."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

_TREES = {
    'mose': 'MOSE, from a folder that holds train/ or valid/, in the layout of DAVIS',
    'visor': "VISOR, from what its own VOS converter wrote, in DAVIS' layout",
}


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Add ``davis480x880``, ``mose`` and ``visor``."""
    text = 'DAVIS-2017 val resized to 480 x 880, and the list of its folders'
    parser = commands.add_parser('davis480x880', help=text, description=text)
    parser.set_defaults(run=_run_davis)
    parser.add_argument('data', metavar='ROOT', help='folder of DAVIS')
    parser.add_argument('out', metavar='OUT', help='folder; new, or of such a run')
    parser.add_argument(
        '--png', action='store_true', help='frames without loss; not as published'
    )
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace a run with other settings; only its files are removed',
    )
    for name, text in _TREES.items():
        _add_tree(commands, name, text)


def _add_tree(commands: argparse._SubParsersAction, name: str, text: str) -> None:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=_run_tree)
    parser.add_argument('data', metavar='SOURCE', help='folder that was downloaded')
    parser.add_argument('out', metavar='OUT', help='folder to write')
    parser.add_argument(
        '--copy', action='store_true', help='copy files; default: link folders'
    )


def _run_davis(args: argparse.Namespace) -> Iterator[str]:
    from densecorr.apis.prepare_copies import prepare_davis480x880  # slow: mmengine

    summary = prepare_davis480x880(
        args.data, args.out, png=args.png, overwrite=args.overwrite
    )
    if summary['note']:
        yield f'Note: {summary["note"]}'
    yield f'list: {summary["list"]}'
    yield (
        f'{summary["out"]}: {summary["status"]}, {summary["sequences"]} sequences, '
        f'{summary["frames"]} frames, {summary["written"]} files written'
    )


def _run_tree(args: argparse.Namespace) -> Iterator[str]:
    from densecorr.apis.prepare_trees import prepare_tree  # slow: mmengine

    summary = prepare_tree(args.command, args.data, args.out, copy=args.copy)
    for note in summary['notes']:
        yield f'Note: {note}'
    for split, count in summary['splits'].items():
        yield f'{split:<12} {count:5d} videos'
    yield f'{summary["out"]}: {summary["status"]}, {summary["written"]} new'
