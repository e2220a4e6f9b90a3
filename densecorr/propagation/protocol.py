"""A propagation protocol: a plain dict from a config, turned into its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.utils.suggest import suggest

from .context import Context
from .labels import LabelCodec

_PARTS = {'context': Context, 'window': Window, 'select': Rule, 'labels': LabelCodec}
_PLAIN = {
    'reader': 'opencv',
    'size': {},
    'resizer': 'opencv',
    'normalize': True,
    'hard': False,
}


@dataclass(frozen=True)
class Protocol:
    """One task of a named protocol, checked.

    Attributes:
        context: frames that are looked into.
        window: neighbourhood on the feature grid.
        select: top-k, temperature, ties and weights.
        labels: from label maps to soft labels and back.
        size: arguments of :func:`densecorr.ops.size_policy.resolve_size`.
        reader: decoder of the frames, ``'opencv'`` or ``'pillow'``.
        resizer: see :class:`densecorr.propagation.frames.FrameInput`.
        normalize: features get length 1.
        hard: hard instead of soft labels are kept.
    """

    context: Context
    window: Window
    select: Rule
    labels: LabelCodec
    size: Mapping[str, Any]
    reader: str = 'opencv'
    resizer: str = 'opencv'
    normalize: bool = True
    hard: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Protocol:
        """Build from the dict of one task, for example ``protocol['davis']``.

        Raises:
            KeyError: a part is missing, or a key is unknown.
            ValueError: a value is not allowed.
        """
        _check_keys('a protocol', config, set(_PARTS) | set(_PLAIN))
        missing = set(_PARTS) - set(config)
        if missing:
            raise KeyError(f'the protocol lacks {sorted(missing)}.')
        parts: dict[str, Any] = {}
        for name, kind in _PARTS.items():
            values = dict(config[name])
            _check_keys(f'{name} of a protocol', values, {f.name for f in fields(kind)})
            if 'long_memory' in values:
                values['long_memory'] = tuple(values['long_memory'])
            parts[name] = kind(**values)
        plain = {name: config.get(name, default) for name, default in _PLAIN.items()}
        return cls(**parts, **plain)


def _check_keys(what: str, config: Mapping[str, Any], allowed: set[str]) -> None:
    unknown = sorted(set(config) - allowed)
    if unknown:
        raise KeyError(
            f'{what} has no key {unknown[0]!r}. {suggest(unknown[0], allowed)}'
        )
