"""Values that change during training, as pure functions of the iteration.

Nothing has a state, so a resumed run sees the values that an unbroken one sees.
Positions and lengths of one call are in one unit, iterations or epochs; fractions are
allowed.
"""

from __future__ import annotations

import inspect
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from densecorr.utils.suggest import suggest

Schedule = Callable[[float], float]  # iteration, from 0, to a value

_UNITS = ('iter', 'epoch')


def constant(position: float, value: float = 1.0) -> float:
    """The same value everywhere."""
    return value


def linear(
    position: float,
    length: float,
    start: float = 0.0,
    end: float = 1.0,
    begin: float = 0.0,
) -> float:
    """From ``start`` to ``end`` along a line, constant before and after.

    Args:
        position: from 0.
        length: of the line.
        start: value up to ``begin``.
        end: value from ``begin + length`` on.
        begin: where the line begins.
    """
    return _mix(end, start, min(max((position - begin) / length, 0.0), 1.0))


def cosine(
    position: float,
    length: float,
    start: float = 1.0,
    end: float = 0.0,
    warmup: float = 0.0,
    warmup_start: float = 0.0,
) -> float:
    """Half a cosine from ``start`` to ``end``, after a linear warm-up.

    With ``s = (position - warmup) / (length - warmup)`` in [0, 1] it is
    ``end + (start - end) (1 + cos(pi s)) / 2``.

    Args:
        position: from 0.
        length: of warm-up and cosine together; ``end`` from there on.
        start: value where the cosine begins.
        end: value where it ends.
        warmup: length of the warm-up.
        warmup_start: value where the warm-up begins.

    Note:
        A warm-up that multiplies a cosine over all iterations, as in Spa-then-Temp,
        is a :func:`product` of ``cosine`` and ``linear``.
    """
    share = _after_warmup(position, length, warmup)
    if share is None:
        return linear(position, warmup, warmup_start, start)
    return _mix(start, end, (1 + math.cos(math.pi * share)) / 2)


def polynomial(
    position: float,
    length: float,
    start: float = 1.0,
    end: float = 0.0,
    power: float = 0.9,
    warmup: float = 0.0,
    warmup_start: float = 0.0,
) -> float:
    """``end + (start - end) (1 - s)**power`` after a linear warm-up.

    Args:
        position: from 0.
        length: of warm-up and decay together; ``end`` from there on.
        start: value where the decay begins.
        end: value where it ends.
        power: 1 is a line.
        warmup: length of the warm-up.
        warmup_start: value where the warm-up begins.
    """
    share = _after_warmup(position, length, warmup)
    if share is None:
        return linear(position, warmup, warmup_start, start)
    return _mix(start, end, (1 - share) ** power)


def exponential(position: float, rate: float, start: float = 1.0) -> float:
    """``start * rate**position``."""
    return start * rate**position


def multistep(
    position: float, milestones: Sequence[float], gamma: float = 0.1, start: float = 1.0
) -> float:
    """``start``, times ``gamma`` from each milestone on.

    Args:
        position: from 0.
        milestones: ascending positions; the new value holds at the milestone itself.
        gamma: factor.
        start: first value.
    """
    return start * gamma ** bisect_right(list(milestones), position)


def piecewise(
    position: float, milestones: Sequence[float], values: Sequence[float]
) -> float:
    """One of ``values``, the next one from each milestone on.

    Args:
        position: from 0.
        milestones: ascending positions; the new value holds at the milestone itself.
        values: one more than milestones.

    Raises:
        ValueError: the lengths do not fit.
    """
    if len(values) != len(milestones) + 1:
        raise ValueError(
            f'piecewise has {len(values)} values for {len(milestones)} milestones; '
            'give one value more than milestones.'
        )
    return values[bisect_right(list(milestones), position)]


def interpolated(
    position: float, positions: Sequence[float], values: Sequence[float]
) -> float:
    """Values joined by lines, constant before the first and after the last.

    Args:
        position: from 0.
        positions: ascending, at least one.
        values: one for each position.

    Raises:
        ValueError: the lengths do not fit.
    """
    if len(values) != len(positions) or not values:
        raise ValueError(
            f'interpolated has {len(values)} values for {len(positions)} positions; '
            'give one value for each, at least one.'
        )
    right = bisect_right(list(positions), position)
    if right in (0, len(positions)):
        return values[max(right - 1, 0)]
    left = right - 1
    share = (position - positions[left]) / (positions[right] - positions[left])
    return values[left] + (values[right] - values[left]) * share


def product(position: float, schedules: Sequence[Schedule]) -> float:
    """The product of several schedules, for a warm-up over, or a gate before, one."""
    return math.prod(schedule(position) for schedule in schedules)


SCHEDULES: Mapping[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        constant,
        linear,
        cosine,
        polynomial,
        exponential,
        multistep,
        piecewise,
        interpolated,
    )
}


def make_schedule(
    config: Mapping[str, Any], iters_per_epoch: int, total_iters: int
) -> Schedule:
    """The function of the iteration that a config describes.

    Args:
        config: ``type``, a function of this module, and its arguments; besides them

            - ``unit``: of positions and lengths, ``'iter'`` (default) or ``'epoch'``;
            - ``length``: where left out, up to the end of training;
            - ``whole_epochs``: change the value only where an epoch begins;
            - ``ahead``: iterations that the value is taken ahead of time, for systems
              that use the value of the next iteration.

            ``dict(type='product', schedules=[...])`` multiplies several configs.
        iters_per_epoch: iterations of an epoch.
        total_iters: iterations of the whole training.

    Returns:
        a function of the iteration, from 0.

    Raises:
        KeyError: the type is unknown.
        TypeError: an argument is unknown or missing.
        ValueError: an argument has a value that is not allowed.
    """
    arguments = dict(config)
    kind = arguments.pop('type', None)
    if kind == product.__name__:
        return _make_product(arguments, iters_per_epoch, total_iters)
    if kind not in SCHEDULES:
        names = [*SCHEDULES, product.__name__]
        raise KeyError(
            f'there is no schedule of type {kind!r}. {suggest(str(kind), names)}'
        )
    function = SCHEDULES[kind]
    unit = arguments.pop('unit', 'iter')
    whole_epochs, ahead = (
        arguments.pop('whole_epochs', False),
        arguments.pop('ahead', 0),
    )
    if unit not in _UNITS:
        raise ValueError(
            f'unit of schedule {kind!r} is {unit!r}; choose from {list(_UNITS)}.'
        )
    per_unit = 1 if unit == 'iter' else iters_per_epoch
    parameters = inspect.signature(function).parameters
    if 'length' in parameters:
        left = total_iters / per_unit - arguments.get('begin', 0)
        arguments.setdefault('length', left)
    _check(kind, arguments, parameters)

    def value(iteration: float) -> float:
        iteration += ahead
        if whole_epochs:
            iteration = iteration // iters_per_epoch * iters_per_epoch
        return float(function(iteration / per_unit, **arguments))

    value(0)  # errors of the arguments come now
    return value


def _make_product(
    arguments: Mapping[str, Any], iters_per_epoch: int, total_iters: int
) -> Schedule:
    configs = arguments.get('schedules', ())
    if set(arguments) != {'schedules'} or not configs:
        raise TypeError(
            f"schedule 'product' got {sorted(arguments)}; it takes schedules=[...], at "
            'least one, each with its own unit.'
        )
    schedules = [make_schedule(c, iters_per_epoch, total_iters) for c in configs]
    return lambda iteration: product(iteration, schedules)


def _check(
    kind: str,
    arguments: Mapping[str, Any],
    parameters: Mapping[str, inspect.Parameter],
) -> None:
    """Raise where the arguments are not those of the schedule."""
    own = [name for name in parameters if name != 'position']
    for name in arguments:
        if name not in own:
            names = [*own, 'unit', 'whole_epochs', 'ahead']
            raise TypeError(
                f'schedule {kind!r} takes no argument {name!r}. {suggest(name, names)}'
            )
    missing = [
        name
        for name in own
        if parameters[name].default is inspect.Parameter.empty and name not in arguments
    ]
    if missing:
        raise TypeError(f'schedule {kind!r} needs {missing}.')
    for name in ('milestones', 'positions'):
        places = list(arguments.get(name, ()))
        if places != sorted(places):
            raise ValueError(
                f'{name} of schedule {kind!r} are {places}; give them in ascending '
                'order.'
            )
    length, warmup = arguments.get('length', 1), arguments.get('warmup', 0)
    if length <= 0 or not 0 <= warmup <= length:
        raise ValueError(
            f'schedule {kind!r} has length {length} and warmup {warmup}; the length '
            'should be positive and the warm-up lie within it.'
        )


def _after_warmup(position: float, length: float, warmup: float) -> float | None:
    """Share of the way from the end of the warm-up to the end; None during it."""
    if position < warmup:
        return None
    if position >= length:
        return 1.0
    return (position - warmup) / (length - warmup)


def _mix(first: float, second: float, weight: float) -> float:
    """``weight`` of the first value, the rest of the second; both ends are exact."""
    return first * weight + second * (1 - weight)
