"""The console command ``densecorr``: one sub-command for each program in ``tools/``."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import densecorr
from densecorr.utils.paths import tools_root
from densecorr.utils.suggest import suggest

# Programs whose sub-command is shorter than their file name.
_SHORT = {
    'check_data': 'data',
    'convert_checkpoint': 'convert',
    'diff_results': 'diff',
    'print_config': 'config',
}


def commands() -> dict[str, Path]:
    """Sub-command names and the programs that they run."""
    programs = sorted(tools_root().glob('*.py'))
    found = {_SHORT.get(p.stem, p.stem): p for p in programs if p.stem[0] != '_'}
    return dict(sorted(found.items()))


def usage() -> str:
    """The text of ``densecorr --help``."""
    lines = ['usage: densecorr COMMAND [arguments]   (COMMAND --help says more)', '']
    for name, program in commands().items():
        text = ast.get_docstring(ast.parse(program.read_text('utf-8'))) or ''
        lines.append(f'  {name:<12} {text.splitlines()[0] if text else ""}'.rstrip())
    return '\n'.join([*lines, '', f'densecorr {densecorr.__version__}', ''])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one program of ``tools/``.

    Args:
        argv: sub-command and its arguments; those of the process by default.

    Returns:
        The exit status: that of the program, 2 for an unknown sub-command.
    """
    name, *rest = [*(sys.argv[1:] if argv is None else argv)] or ['--help']
    if name in ('-h', '--help'):
        sys.stdout.write(usage())
        return 0
    if name == '--version':
        sys.stdout.write(f'{densecorr.__version__}\n')
        return 0
    known = commands()
    if name not in known:
        sys.stderr.write(
            f'densecorr: {name!r} is not a command. {suggest(name, known)}\n'
        )
        return 2
    return int(_load(known[name]).main(rest) or 0)


def _load(program: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f'densecorr_tools_{program.stem}', program
    )
    assert spec is not None and spec.loader is not None  # a .py file has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # so that worker processes find its functions
    spec.loader.exec_module(module)
    return module
