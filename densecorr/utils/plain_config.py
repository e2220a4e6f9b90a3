"""Configs as text: MMEngine's formatter takes longer than many a small training."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_WIDTH = 88
_INDENT = 4


class PlainConfig(Config):
    """A Config of plain values whose ``pretty_text`` is :func:`config_text`."""

    @classmethod
    def of(cls, cfg: Config) -> PlainConfig:
        """The same config; nested values are copied."""
        return cls(
            cfg.to_dict(),
            cfg_text=cfg.text,
            filename=cfg.filename,
            env_variables=cfg.env_variables,
        )

    @property
    def pretty_text(self) -> str:
        """Python text, see :func:`config_text`."""
        return config_text(self.to_dict())


def config_text(values: Mapping[str, Any]) -> str:
    """Python text of a config; what has an equal content has an equal text.

    Args:
        values: by name; nested dicts, lists and tuples of plain values.

    Returns:
        an assignment for each name, in the order of the names; running it gives the
        values back.
    """
    lines = [
        f'{name} = {_text(value, len(name) + 3, 0)}'
        for name, value in sorted(values.items())
    ]
    return '\n'.join([*lines, ''])


def _text(value: Any, used: int, indent: int) -> str:
    """A value on one line where it fits, else an item a line.

    Args:
        value: plain.
        used: characters of the line before the value.
        indent: of the line.
    """
    if not isinstance(value, (Mapping, list, tuple)):
        return repr(value)
    left, right, items = _parts(value)
    flat = [f'{name}{_text(item, 0, -_WIDTH)}' for name, item in items]
    comma = ',' if isinstance(value, tuple) and len(flat) == 1 else ''
    line = f'{left}{", ".join(flat)}{comma}{right}'
    if indent < 0 or not flat or used + len(line) <= _WIDTH:
        return line
    inner = indent + _INDENT
    lines = [
        f'{" " * inner}{name}{_text(item, inner + len(name) + 1, inner)},\n'
        for name, item in items
    ]
    return f'{left}\n{"".join(lines)}{" " * indent}{right}'


def _parts(value: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    """Brackets of a container, and its items with what stands before each."""
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: str(item[0]))
        if all(_is_argument(name) for name in value):
            return 'dict(', ')', [(f'{name}=', item) for name, item in items]
        return '{', '}', [(f'{name!r}: ', item) for name, item in items]
    left, right = '[]' if isinstance(value, list) else '()'
    return left, right, [('', item) for item in value]


def _is_argument(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
