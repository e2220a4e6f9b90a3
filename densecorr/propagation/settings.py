"""Settings that a sweep propagates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from densecorr.ops.selection import Rule
from densecorr.ops.window import Window

from .context import Context
from .propagator import Limits

_COMMON = ('ties', 'weighting')  # fields of a rule that settings have in common


@dataclass(frozen=True)
class Setting:
    """What one run of a sweep propagates with.

    Args:
        context: frames that are looked into.
        window: neighbourhood on the feature grid.
        rule: top-k, which is a number here, temperature, ties and weights.
    """

    context: Context
    window: Window
    rule: Rule


def widest(windows: Sequence[Window]) -> Window:
    """The window that contains all others.

    Raises:
        ValueError: they differ in shape or in ``inclusive``.
    """
    shapes = {(each.shape, each.inclusive) for each in windows if each.shape != 'none'}
    if len(shapes) > 1:
        raise ValueError(
            f'windows of a sweep have the kinds {sorted(shapes)} (shape, inclusive); '
            'give one kind with several radii, and no window besides.'
        )
    if any(window.shape == 'none' for window in windows):
        return Window()
    return max(windows, key=lambda window: window.radius)


def check_settings(
    settings: Sequence[Setting], limits: Limits, neighbours: int
) -> None:
    """Refuse what one search for all settings cannot do.

    Raises:
        ValueError: names the option and what to do.
    """
    if not settings:
        raise ValueError('a sweep has no setting; give at least one.')
    if neighbours < 1:
        raise ValueError(f'neighbours is {neighbours}; give at least 1.')
    for name in _COMMON:
        values = sorted({getattr(setting.rule, name) for setting in settings})
        if len(values) > 1:
            raise ValueError(f'settings of a sweep differ in {name}: {values}.')
    if any(setting.rule.topk is None for setting in settings):
        raise ValueError(
            'select.topk is None: all keys are weighted, and lists of neighbours do '
            'not have them. Give --topk, or evaluate each setting alone.'
        )
    for name, only, remedy in (
        ('precision', 'float32', 'the sweep searches in float32'),
        ('max_bank', None, 'the sweep keeps features in float32'),
        ('check', 0, 'check a setting in a run of its own'),
    ):
        value = getattr(limits, name)
        if value != only:
            raise ValueError(
                f'limits.{name} is {value!r}, which a sweep does not have: {remedy}. '
                f'Set limits.{name}={only}.'
            )
    widest([setting.window for setting in settings])
