"""Name every factor in which two evaluations differ: A B [--replay]."""

from __future__ import annotations

import argparse
import sys

_OF_REPLAY = ('out', 'data', 'checkpoints', 'device', 'threads')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, what in (('first', 'A'), ('second', 'B')):
        parser.add_argument(
            name, metavar=what, help='results folder of test.py, or its metrics.json'
        )
    replay = parser.add_argument_group('replay')
    replay.add_argument(
        '--replay',
        action='store_true',
        help='evaluate with one factor after the other changed from A to B, in both '
        'orders, and say how much of the difference each has',
    )
    replay.add_argument(
        '--out', help='folder of the replay; default: work_dirs/diff/<digest>'
    )
    replay.add_argument('--data', metavar='ROOT', help='folder of the dataset')
    replay.add_argument(
        '--checkpoints',
        nargs=2,
        metavar=('CKPT_A', 'CKPT_B'),
        help='where the weights lie now; default: as in run.json',
    )
    replay.add_argument(
        '--tolerance',
        type=float,
        default=0.05,
        help='in percent points: shares that differ by more between the orders '
        'interact; default: %(default)s',
    )
    replay.add_argument('--allow-unsafe', action='store_true', help='as in test.py')
    replay.add_argument('--device', choices=['cpu', 'cuda'])
    replay.add_argument('--threads', type=int, help='default: all cores')
    args = parser.parse_args(argv)
    given = [name for name in _OF_REPLAY if getattr(args, name) is not None]
    if given and not args.replay:
        parser.error(f'--{given[0]} is for --replay')
    return args


def main(argv: list[str] | None = None) -> int:
    """Compare, print; 0 if all went well, whether or not factors differ."""
    args = parse_args(argv)
    from densecorr.apis.diff import diff_results, format_diff  # slow: torch
    from densecorr.engine.look_ahead import VideoError

    try:
        diff = diff_results(args.first, args.second)
        print(format_diff(diff))
        if args.replay:
            from densecorr.apis.diff import format_replay, replay

            found = replay(
                diff,
                args.out,
                data=args.data,
                checkpoints=args.checkpoints,
                allow_unsafe=args.allow_unsafe,
                device=args.device,
                threads=args.threads,
            )
            print(f'\n{format_replay(found, args.tolerance / 100)}')
    except (ValueError, KeyError, TypeError, OSError, VideoError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
