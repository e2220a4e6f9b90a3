"""Who may import whom: the layers of the package, read from its source by ``ast``.

:func:`violations` takes any source tree, so that tests can plant violations.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The longest matching name decides. A module may import from its own layer and below.
LAYERS: tuple[tuple[str, ...], ...] = (
    ('structures', 'compat', 'utils', 'ops', 'evaluation.functional'),
    ('registry',),
    ('models', 'datasets', 'visualization', 'convert'),
    ('propagation', 'evaluation', 'evaluation.metrics'),
    ('models.methods',),
    ('engine',),
    ('apis', 'cli', 'testing'),
)
# These never import one another, whatever their layers; they meet in a config. Layer
# 0 belongs to everyone.
APART = ('convert', 'datasets', 'evaluation', 'models', 'visualization')


@dataclass(frozen=True)
class Import:
    """One import statement: the module that has it, its line, what it imports."""

    module: str
    line: int
    target: str


def violations(root: Path) -> list[str]:
    """Every import of the package under ``root`` that the layers forbid, in words.

    Args:
        root: the package's folder; its name is the package's name.
    """
    modules = dict(_modules(root))
    found = [
        f'{name} has no layer. Give it one in tests/layers.py.'
        for name in modules
        if name != root.name and _layer(name) is None
    ]
    for name, path in modules.items():
        tree = ast.parse(path.read_text('utf-8'))
        is_package = path.name == '__init__.py'
        for item in _imports(tree, name, is_package, modules, root.name):
            problem = _problem(item, is_package, modules, root.name)
            if problem:
                found.append(f'{name}:{item.line} imports {item.target}: {problem}')
    return found


def _modules(root: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(root.rglob('*.py')):
        parts = path.relative_to(root.parent).with_suffix('').parts
        yield '.'.join(parts).removesuffix('.__init__'), path


def _known_part(name: str) -> str | None:
    """The entry of ``LAYERS`` that a module belongs to."""
    parts = name.split('.')[1:]
    entries = {entry for layer in LAYERS for entry in layer}
    for end in range(len(parts), 0, -1):
        if (part := '.'.join(parts[:end])) in entries:
            return part
    return None


def _layer(name: str) -> int | None:
    part = _known_part(name)
    if part is None:
        return None
    return next(i for i, entries in enumerate(LAYERS) if part in entries)


def _problem(
    item: Import, is_package: bool, modules: dict[str, Path], package: str
) -> str | None:
    own, target = _layer(item.module), _layer(item.target)
    if item.target == package:
        return None  # the package itself holds the version and the guards
    if item.target not in modules or target is None:
        return 'the layers do not know this module.'
    if item.module == package:
        return _of_root(target)
    if is_package and item.target.startswith(f'{item.module}.'):
        return None  # a package lists the names of its own modules
    if own is None:
        return None  # named once, as a module without a layer
    if target > own:
        return f'layer {target} is above layer {own}. Move the shared part down.'
    mine, theirs = _known_part(item.module), _known_part(item.target)
    column, other = str(mine).split('.')[0], str(theirs).split('.')[0]
    if column == other or target == 0:
        return None
    if column in APART and other in APART:
        return f'{column} and {other} never import one another.'
    if target == own and own >= 2:
        return f'{column} and {other} are of one layer. Move the shared part down.'
    return None


def _of_root(target: int) -> str | None:
    return None if target == 0 else 'the package itself imports from layer 0 alone.'


def _imports(
    tree: ast.AST, module: str, is_package: bool, modules: dict[str, Path], package: str
) -> Iterator[Import]:
    """Imports of the package's own modules, however they are written."""
    for node in ast.walk(tree):
        line = getattr(node, 'lineno', 0)
        for target in _targets(node, module, is_package, modules):
            if target == package or target.startswith(f'{package}.'):
                yield Import(module, line, target)


def _targets(
    node: ast.AST, module: str, is_package: bool, modules: dict[str, Path]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom):
        base = _absolute('.' * node.level + (node.module or ''), module, is_package)
        for alias in node.names:
            inner = f'{base}.{alias.name}'
            yield inner if inner in modules else base
    elif isinstance(node, ast.Call):
        yield from _called(node, module, is_package)
    elif isinstance(node, ast.Attribute):
        name = _dotted(node)  # densecorr.models.x after a plain import densecorr
        if name in modules:
            yield name


def _called(node: ast.Call, module: str, is_package: bool) -> Iterator[str]:
    """``importlib.import_module('...')`` and ``__import__('...')``."""
    function = (_dotted(node.func) or '').rsplit('.', 1)[-1]
    if function not in ('import_module', '__import__') or not node.args:
        return
    name = node.args[0]
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        yield _absolute(name.value, module, is_package)


def _absolute(name: str, module: str, is_package: bool) -> str:
    """An absolute name for ``'..x'`` written in ``module``."""
    level = len(name) - len(name.lstrip('.'))
    if level == 0:
        return name
    parts = module.split('.')
    base = parts[: len(parts) - level + (1 if is_package else 0)]
    return '.'.join([*base, name.lstrip('.')]).rstrip('.')


def _dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value)
        return base and f'{base}.{node.attr}'
    return None
