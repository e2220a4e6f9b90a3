"""Check a dataset on disk: densecorr data check davis --data ROOT."""

from __future__ import annotations

import argparse
import sys

from densecorr.utils.data_info import data_info_names

_WORD = 'check'  # may stand before the dataset


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dataset', help=f'one of {", ".join(data_info_names())}')
    parser.add_argument('--data', help='its folder; default: the usual places')
    parser.add_argument(
        '--split', nargs='+', help='such as 2017/val; default: those that are there'
    )
    parser.add_argument('--resolution', default='480p', help='folder of the frames')
    parser.add_argument(
        '--deep', action='store_true', help='decode every file, not only its header'
    )
    words = sys.argv[1:] if argv is None else list(argv)
    return parser.parse_args(words[1:] if words[:1] == [_WORD] else words)


def main(argv: list[str] | None = None) -> int:
    """Print what is there; 0 if the dataset is complete and sound, else 1."""
    args = parse_args(argv)
    from densecorr.apis.check_data import check_data  # slow, --help does without

    try:
        check = check_data(
            args.dataset,
            args.data,
            splits=args.split,
            resolution=args.resolution,
            deep=args.deep,
        )
    except (KeyError, OSError, ValueError) as error:
        print(error.args[0], file=sys.stderr)
        return 1
    print(check)
    return 0 if check.ok else 1


if __name__ == '__main__':
    sys.exit(main())
