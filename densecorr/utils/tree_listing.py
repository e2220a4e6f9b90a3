"""The top of a folder in a few lines, for messages about wrong trees."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

_LINES = 12  # folders that get a line of their own
_SHOWN = 4  # names in a line


def found_tree(root: Path) -> str:
    """What the top two levels of a folder hold.

    Hidden files are left out; files of one suffix are counted.
    """
    if not root.is_dir():
        return f'Found: nothing, {root} is no folder.'
    folders, files = _content(root)
    lines = [f'Found in {root}:']
    for name in folders[:_LINES]:
        inner, inner_files = _content(root / name)
        parts = [_folders(inner)] if inner else []
        lines.append(f'  ROOT/{name}/   {", ".join([*parts, *inner_files]) or "empty"}')
    if len(folders) > _LINES:
        lines.append(f'  ... {len(folders)} folders in all')
    if files:
        lines.append(f'  ROOT/   {", ".join(files)}')
    return '\n'.join([*lines, *([] if folders or files else ['  nothing'])])


def _folders(names: list[str]) -> str:
    more = ', ...' if len(names) > _SHOWN else ''
    kind = 'folder' if len(names) == 1 else 'folders'
    return f'{len(names)} {kind} ({", ".join(names[:_SHOWN])}{more})'


def _content(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders in it, and its files in words."""
    try:
        entries = [p for p in folder.iterdir() if not p.name.startswith('.')]
    except OSError as error:
        return [], [f'cannot be read: {error.strerror}']
    folders = sorted(p.name for p in entries if p.is_dir())
    files = sorted(p.name for p in entries if not p.is_dir())
    if len(files) <= _SHOWN:
        return folders, files
    kinds = Counter(Path(name).suffix.lower() or 'without suffix' for name in files)
    counted = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    return folders, [f'{number} files {kind}' for kind, number in counted[:_SHOWN]]
