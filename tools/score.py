"""Score a folder of label maps without a model: RESULTS TASK --data ROOT."""

from __future__ import annotations

import argparse
import sys

TASKS = ('davis', 'semi-supervised', 'unsupervised')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'results', help='holds <sequence>/<frame>.png, or a run of test.py'
    )
    parser.add_argument('task', help=f'one of {", ".join(TASKS)}')
    parser.add_argument('--data', metavar='ROOT', help='default: the usual places')
    parser.add_argument('--set', default='val', dest='split', help='list of sequences')
    parser.add_argument('--year', type=int, default=2017, choices=[2016, 2017])
    parser.add_argument('--resolution', default='480p', help='folder of annotations')
    parser.add_argument('--sequences', nargs='+', help='only these')
    parser.add_argument('--max-frames', type=int, help='only the first frames of each')
    parser.add_argument('--workers', type=int, help='processes; default: by cores')
    parser.add_argument('--out', help='folder for the tables; default: RESULTS')
    parser.add_argument(
        '--official', action='store_true', help='compare with the package davis2017'
    )
    parser.add_argument(
        '--extra-labels',
        choices=['raise', 'ignore'],
        default='raise',
        help='labels in predictions that cannot be objects',
    )
    parser.add_argument(
        '--bound-th', type=float, default=0.008, help='tolerance of F; DAVIS: 0.008'
    )
    parser.add_argument(
        '--keep-ends', action='store_true', help='score first and last frame too'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Score, print the tables; 0 if all went well."""
    args = parse_args(argv)
    from densecorr.apis.score import format_score, score  # slow: torch

    data = dict(
        root=args.data,
        split=args.split,
        year=args.year,
        sequences=args.sequences,
        max_frames=args.max_frames,
        folders=dict(resolution=args.resolution),
    )
    options = dict(
        skip_ends=False if args.keep_ends else None,
        bound_th=args.bound_th,
        extra_labels=args.extra_labels,
        official=args.official,
    )
    try:
        content = score(
            args.results, args.task, data, options, workers=args.workers, out=args.out
        )
    except (ValueError, OSError, ImportError) as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 1
    print(format_score(content))
    return 0


if __name__ == '__main__':
    sys.exit(main())
