"""Convert a checkpoint of any known format to densecorr's, timm's or a program's."""

from __future__ import annotations

import argparse
import sys


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'checkpoint', help='path, https address, timm:NAME or torchvision:NAME'
    )
    parser.add_argument('out', help='file to write')
    parser.add_argument('--source', help='format of the checkpoint, if not recognised')
    parser.add_argument(
        '--to',
        default='densecorr',
        metavar='FORMAT',
        help='format to write, only the backbone: densecorr (default), timm, '
        'torchvision, or the name of a program as for --source',
    )
    parser.add_argument(
        '--allow-unsafe',
        action='store_true',
        help='unpickle any class, which may run code: only for files that you trust',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    args = parse_args(argv)
    from densecorr.apis.convert import convert_file  # slow: torch

    try:
        done = convert_file(
            args.checkpoint, args.out, args.source, args.allow_unsafe, args.to
        )
    except (ValueError, KeyError, OSError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    print(f'{done}\nwritten          {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
