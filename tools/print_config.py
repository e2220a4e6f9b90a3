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
    parser.add_argument(
        '--explain',
        action='store_true',
        help='say in words and numbers what the protocol does with a frame',
    )
    parser.add_argument(
        '--frame-size',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='example frame of --explain, default 480 854 (jhmdb: 240 320)',
    )
    return parser.parse_args(argv)


def text_of(args: argparse.Namespace) -> str:
    """The config, or the explanation of its protocol.

    Raises:
        ValueError: an explanation is asked for without a task.
    """
    choice = (args.config, args.task, args.protocol, args.cfg_options)
    if args.explain:
        from densecorr.apis.explain import explain

        if args.task is None:
            raise ValueError('--explain needs a task, for example davis.')
        return explain(*choice, args.frame_size and tuple(args.frame_size))
    from densecorr.apis.config import print_form

    return print_form(*choice)


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    args = parse_args(argv)
    try:
        text = text_of(args)
    except (ValueError, KeyError, OSError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    print(text)
    return 0


if __name__ == '__main__':
    sys.exit(main())
