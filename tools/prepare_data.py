"""Write data sets and their lists: python tools/prepare_data.py COMMAND --help."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

# Each has ``add_commands(commands)``; see densecorr/apis/prepare_commands.py.
COMMAND_MODULES = (
    'densecorr.apis.prepare_commands',
    'densecorr.apis.prepare_list_commands',
    'densecorr.apis.prepare_copy_commands',
    'densecorr.apis.prepare_download_commands',
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Describe the command line: a sub-command for each thing that can be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    for module in COMMAND_MODULES:
        import_module(module).add_commands(commands)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the sub-command; 0 if all went well."""
    args = parse_args(argv)
    try:
        for line in args.run(args):
            print(line)
    except (ValueError, OSError) as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('Stopped. The same command goes on from here.', file=sys.stderr)
        return 130  # as shells tell of Ctrl-C
    return 0


if __name__ == '__main__':
    sys.exit(main())
