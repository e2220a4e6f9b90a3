"""Score predictions of any tool without a model: RESULTS TASK --data ROOT."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mmengine.config import DictAction

_DAVIS = ('davis', 'semi-supervised', 'unsupervised')
_YEARS = {'ytvos': 2018, **dict.fromkeys(_DAVIS, 2017)}  # by default
TASKS = (*_DAVIS, 'jhmdb', 'vip', 'ytvos')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'results',
        help='holds <sequence>/<frame>.png (jhmdb: <sequence>/joint_positions.mat); or '
        'a run of test.py, or an archive for a server',
    )
    parser.add_argument('task', help=f'one of {", ".join(TASKS)}')
    parser.add_argument('--data', metavar='ROOT', help='default: the usual places')
    parser.add_argument('--set', dest='split', help='default: val; ytvos: valid')
    parser.add_argument(
        '--year', type=int, choices=[2016, 2017, 2018, 2019], help='davis, ytvos'
    )
    parser.add_argument('--resolution', help='folder of davis; default: 480p')
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
        help='labels in predictions that cannot be objects; default: raise an error',
    )
    parser.add_argument('--bound-th', type=float, help='tolerance of F; DAVIS: 0.008')
    parser.add_argument(
        '--keep-ends', action='store_true', help='davis: score first and last frame too'
    )
    parser.add_argument(
        '--metric-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help="of the metric, such as jhmdb's skip_first=True",
    )
    return parser.parse_args(argv)


def settings_of(args: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the dataset and of the metric that were given."""
    resolution = dict(resolution=args.resolution) if args.resolution else None
    data = dict(
        root=args.data,
        split=args.split,
        year=args.year or _YEARS.get(args.task),
        sequences=args.sequences,
        max_frames=args.max_frames,
        folders=resolution,
    )
    options = dict(
        skip_ends=False if args.keep_ends else None,
        bound_th=args.bound_th,
        extra_labels=args.extra_labels,
        official=True if args.official else None,
        **args.metric_options,
    )
    data, options = (
        {key: value for key, value in part.items() if value is not None}
        for part in (data, options)
    )
    return data, options


def main(argv: list[str] | None = None) -> int:
    """Score, print the tables; 0 if all went well."""
    args = parse_args(argv)
    from densecorr.apis.score import format_score, score  # slow: torch

    data, options = settings_of(args)
    try:
        content = score(
            args.results, args.task, data, options, workers=args.workers, out=args.out
        )
    except (ValueError, TypeError, OSError, ImportError) as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 1
    print(format_score(content))
    return 0


if __name__ == '__main__':
    sys.exit(main())
