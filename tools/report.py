"""Write report.html of a results folder again, and overlays of its results."""

from __future__ import annotations

import argparse
import sys

OVERLAYS = ('png', 'gif', 'mp4')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'results', help='folder of a run of test.py: work_dirs/<config>/<task>'
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
        '--fps', type=float, default=24.0, help='frames per second of gif and mp4'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Write, print where; 0 if all went well."""
    args = parse_args(argv)
    from densecorr.apis.report import rebuild_report, write_overlays  # slow: torch

    try:
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
