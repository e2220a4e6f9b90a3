"""The settings of a sweep: values of four options of a protocol, all combined."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from densecorr.ops.window import Window
from densecorr.propagation.protocol import Protocol
from densecorr.propagation.settings import Setting

OPTIONS = ('context', 'radius', 'topk', 'temperature')  # the last one varies fastest
_NONE = 'none'

Value = Any  # a number, or "none"
Values = Mapping[str, Sequence[Value] | str | float | None]


@dataclass(frozen=True)
class Swept:
    """Settings and the values that they were made of.

    Attributes:
        values: of each option of ``OPTIONS``, in the order given.
        rows: for each setting its values by option.
        settings: to propagate with.
        published: number of the setting that is the protocol's own; None where it is
            not among them.
    """

    values: dict[str, list[Value]]
    rows: list[dict[str, Value]]
    settings: list[Setting]
    published: int | None


def swept_settings(protocol: Protocol, values: Values) -> Swept:
    """All combinations of the given values, the protocol's own where none are given.

    Args:
        protocol: one task of a protocol.
        values: option to numbers, or to a text such as ``'5,7,10'``; ``'none'`` for a
            radius is no window. Repeated values count once.

    Raises:
        ValueError: an empty list, no number, or a value that the option does not take;
            names the option.
        KeyError: an unknown option.
    """
    unknown = sorted(set(values) - set(OPTIONS))
    if unknown:
        raise KeyError(f'a sweep has no option {unknown[0]!r}; it has {list(OPTIONS)}.')
    own = own_values(protocol)
    lists = {
        name: [own[name]] if values.get(name) is None else _listed(name, values[name])
        for name in OPTIONS
    }
    for name in OPTIONS:
        for value in lists[name]:
            _setting(protocol, {**own, name: value}, f'--{name} {value}')
    rows = [
        dict(zip(OPTIONS, combined, strict=True))
        for combined in itertools.product(*lists.values())
    ]
    settings = [_setting(protocol, row, describe(row)) for row in rows]
    published = next((i for i, row in enumerate(rows) if row == own), None)
    return Swept(lists, rows, settings, published)


def own_values(protocol: Protocol) -> dict[str, Value]:
    """What the protocol itself says about the options of a sweep."""
    window, topk = protocol.window, protocol.select.topk
    return dict(
        context=protocol.context.num_frames,
        radius=_NONE if window.shape == 'none' else window.radius,
        topk=_NONE if topk is None else topk,
        temperature=protocol.select.temperature,
    )


def describe(row: Mapping[str, Value]) -> str:
    """``context 20, radius 12, topk 10, temperature 0.05``."""
    return ', '.join(f'{name} {row[name]}' for name in OPTIONS)


def options_of(row: Mapping[str, Value], task: str) -> list[str]:
    """``--cfg-options`` that evaluate one setting alone.

    Args:
        row: the setting.
        task: the part of the protocol that is used.
    """
    part = f'protocol.{task}'
    windowed = row['radius'] != _NONE
    window = f'radius={row["radius"]}' if windowed else f'shape={_NONE}'
    return [
        f'{part}.context.num_frames={row["context"]}',
        f'{part}.window.{window}',
        f'{part}.select.topk={row["topk"]}',
        f'{part}.select.temperature={row["temperature"]}',
    ]


def _listed(name: str, given: Sequence[Value] | str | float | None) -> list[Value]:
    """The values of an option, each once."""
    parts: Sequence[Value]
    if isinstance(given, str):
        parts = [part.strip() for part in given.split(',')]
        parts = parts if any(parts) else []
    elif isinstance(given, (int, float)):
        parts = [given]
    else:
        parts = list(given or ())
    if not parts:
        raise ValueError(f'--{name} is empty; give values such as {_EXAMPLES[name]}.')
    return list(dict.fromkeys(_READ[name](name, part) for part in parts))


def _whole(name: str, part: Value) -> Value:
    try:
        number = int(part)
        if isinstance(part, float) and part != number:
            raise ValueError
    except ValueError as error:
        raise ValueError(
            f'--{name}: {part!r} is not a whole number; give values such as '
            f'{_EXAMPLES[name]}.'
        ) from error
    return number


def _real(name: str, part: Value) -> Value:
    try:
        number = float(part)
        if not math.isfinite(number):
            raise ValueError
    except ValueError as error:
        raise ValueError(
            f'--{name}: {part!r} is not a finite number; give values such as '
            f'{_EXAMPLES[name]}.'
        ) from error
    return int(number) if name == 'radius' and number == int(number) else number


def _radius(name: str, part: Value) -> Value:
    return _NONE if str(part).strip().lower() == _NONE else _real(name, part)


_READ: dict[str, Callable[[str, Value], Value]] = dict(
    context=_whole, radius=_radius, topk=_whole, temperature=_real
)
_EXAMPLES = dict(
    context='5,10,20', radius='6,12,none', topk='5,10,15', temperature='0.05,0.1'
)


def _setting(protocol: Protocol, row: Mapping[str, Value], name: str) -> Setting:
    """One combination; an error of a part is told with its name."""
    topk, radius = row['topk'], row['radius']
    windowed = protocol.window.shape != 'none'
    if radius != _NONE and not windowed:
        raise ValueError(
            f'{name}: the protocol has no window, so a radius has no shape. Give one: '
            '--cfg-options protocol.<task>.window.shape=square (or circle).'
        )
    try:
        return Setting(
            replace(protocol.context, num_frames=row['context']),
            Window() if radius == _NONE else replace(protocol.window, radius=radius),
            replace(
                protocol.select,
                topk=None if topk == _NONE else topk,
                temperature=row['temperature'],
            ),
        )
    except ValueError as error:
        raise ValueError(f'{name}: {error}') from error
