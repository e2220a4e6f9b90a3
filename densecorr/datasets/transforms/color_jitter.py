"""Change brightness, contrast, saturation and hue of a clip at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from densecorr.datasets.transforms import color
from densecorr.datasets.transforms.base import (
    ClipTransform,
    check_probability,
    check_range,
    draw_rows,
)
from densecorr.registry import TRANSFORMS

_MAX_HUE = 0.5  # half a turn
Amount = float | tuple[float, float]


class JitterRanges:
    """Ranges of the four factors, and draws from them.

    Args:
        brightness: factors from ``max(0, 1 - brightness)`` to ``1 + brightness``, or
            their range.
        contrast: as ``brightness``.
        saturation: as ``brightness``.
        hue: shifts from ``-hue`` to ``hue`` in turns, or their range.

    Raises:
        ValueError: a range is empty, or not within [0, inf) or [-0.5, 0.5].

    Reference: torchvision ``transforms.ColorJitter``.
    """

    def __init__(
        self,
        brightness: Amount = 0.0,
        contrast: Amount = 0.0,
        saturation: Amount = 0.0,
        hue: Amount = 0.0,
    ) -> None:
        amounts = (brightness, contrast, saturation, hue)
        pairs = zip(color.OPERATIONS, amounts, strict=True)
        self.ranges = np.array([_range(*pair) for pair in pairs])  # (4, 2)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """``order`` (4,) int64 and ``factors`` (4,), see :func:`color.jitter`."""
        order = rng.permutation(len(color.OPERATIONS))
        low, high = self.ranges.T
        return order, low + (high - low) * rng.random(len(low))


@TRANSFORMS.register_module()
class ClipColorJitter(ClipTransform):
    """Brightness, contrast, saturation and hue by random factors in random order.

    Reads and writes ``frames``.

    Args:
        brightness: see :class:`JitterRanges`.
        contrast: see :class:`JitterRanges`.
        saturation: see :class:`JitterRanges`.
        hue: see :class:`JitterRanges`.
        prob: how often anything is changed.
        per_frame: draw for every frame instead of once for the clip.
        engine: ``'opencv'`` (fast) or ``'pillow'`` (the values of torchvision's
            transforms of Pillow images).
        only_last: only the last operation of the order is applied, so that one of the
            four changes a frame (the official code of TimeT).
    """

    def __init__(
        self,
        brightness: Amount = 0.0,
        contrast: Amount = 0.0,
        saturation: Amount = 0.0,
        hue: Amount = 0.0,
        prob: float = 1.0,
        per_frame: bool = False,
        engine: str = 'opencv',
        only_last: bool = False,
    ) -> None:
        color.check_engine(engine)
        self.ranges = JitterRanges(brightness, contrast, saturation, hue)
        self.prob = check_probability('prob of ClipColorJitter', prob)
        self.per_frame, self.engine = per_frame, engine
        self.only_last = only_last

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``applied`` (t,) bool, ``orders`` (t, 4) int64 and ``factors`` (t, 4)."""
        rows = draw_rows(
            lambda: (rng.random() < self.prob, *self.ranges.draw(rng)),
            len(sample['frames']),
            self.per_frame,
        )
        applied, orders, factors = (
            np.array(column) for column in zip(*rows, strict=True)
        )
        return dict(applied=applied, orders=orders, factors=factors)

    def apply(
        self,
        sample: dict[str, Any],
        applied: Sequence[bool] | np.ndarray,
        orders: np.ndarray,
        factors: np.ndarray,
    ) -> dict[str, Any]:
        """Change frame i, where ``applied[i]``, by row i of the factors."""
        if not any(applied):
            return dict(sample)
        orders = np.asarray(orders)[:, -1:] if self.only_last else orders
        frames = [
            color.jitter(frame, order, factor, self.engine) if change else frame
            for frame, change, order, factor in zip(
                self.frames(sample), applied, orders, factors, strict=True
            )
        ]
        return {**sample, 'frames': frames}


def _range(name: str, amount: Amount | Sequence[float]) -> tuple[float, float]:
    is_hue = name == 'hue'
    low, high, center = (-_MAX_HUE, _MAX_HUE, 0) if is_hue else (0, np.inf, 1)
    if isinstance(amount, int | float):
        if amount < 0:
            raise ValueError(f'{name} of the jitter is {amount}, it must be 0 or more.')
        lowest = center - amount if is_hue else max(low, center - amount)
        amount = (lowest, center + amount)
    return check_range(f'{name} of the jitter', amount, low, high)
