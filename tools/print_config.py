"""Print a config as it is used: bases merged, task, protocol and options applied."""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config')
    parser.add_argument('task', nargs='?', help='lay this task over the test fields')
    parser.add_argument('--protocol', help='name or file that replaces the protocol')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change known keys; new:KEY=VALUE adds one',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    args = parse_args(argv)
    from densecorr.apis.config import print_form

    try:
        text = print_form(args.config, args.task, args.protocol, args.cfg_options)
    except (ValueError, KeyError, OSError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
