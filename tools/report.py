"""Write report.html of a results folder again, or compare several: --compare A B."""

from __future__ import annotations

import argparse
import sys

OVERLAYS = ('png', 'gif', 'mp4')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'results',
        nargs='?',
        help='folder of a run of test.py: work_dirs/<config>/<task>',
    )
    parser.add_argument(
        '--compare',
        nargs='+',
        metavar='RESULTS',
        help='two or more such folders, of the same videos: one page with means, '
        'intervals, paired tests and the factors that differ',
    )
    parser.add_argument(
        '--out', metavar='FILE', help='page of --compare; default: comparison.html'
    )
    parser.add_argument(
        '--data', metavar='ROOT', help='folder of the dataset, if it was moved'
    )
    parser.add_argument(
        '--overlays',
        nargs='+',
        choices=OVERLAYS,
        default=[],
        help='also draw the results over the frames: RESULTS/overlays/<video>/',
    )
    parser.add_argument(
        '--fps',
        type=float,
        help='frames per second of gif and mp4; default: 24, 2 for clustered frames',
    )
    args = parser.parse_args(argv)
    if (args.results is None) == (args.compare is None):
        parser.error('name one results folder, or several after --compare')
    if args.out and not args.compare:
        parser.error('--out is for --compare; a report lies in its results folder')
    return args


def main(argv: list[str] | None = None) -> int:
    """Write, print where; 0 if all went well."""
    args = parse_args(argv)
    from densecorr.apis.report import rebuild_report, write_overlays  # slow: torch
    from densecorr.apis.report.comparison import write_comparison

    try:
        if args.compare:
            page = write_comparison(args.compare, args.out or 'comparison.html')
            print(f'comparison: {page}')
            return 0
        path = rebuild_report(args.results, args.data)
        print(f'report: {path} ({path.stat().st_size / 1e6:.1f} MB)')
        if args.overlays:
            done = write_overlays(
                args.results,
                args.overlays,
                args.data,
                args.fps,
                lambda name: print(f'drawn: {name}'),
            )
            for written in done:
                print(f'overlay: {written}')
    except (ValueError, KeyError, TypeError, OSError) as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
