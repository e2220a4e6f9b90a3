"""Resize the frames of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from densecorr.datasets.transforms.base import ClipTransform
from densecorr.datasets.transforms.boxes import Size, as_size, short_side_size
from densecorr.datasets.transforms.resampling import (
    check_resizer,
    resize_boxes,
    resize_exactly,
)
from densecorr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipResize(ClipTransform):
    """Resize all frames of a clip to one size.

    Reads and writes ``frames``.

    Args:
        size: (height, width) or one side of a square; the aspect ratio is not kept.
        short_side: instead of ``size``: the short side, or (smallest, largest) of a
            short side drawn once per clip, both included. The long side keeps the
            ratio and is rounded down.
        resizer: ``'opencv'`` (fast, no smoothing), ``'pillow'`` (antialiased) or
            ``'torch_antialias'`` (nearly the same, fast).
        interpolation: ``'bilinear'``, ``'bicubic'`` or ``'nearest'``.
        exact: resize by OpenCV without rounding to grey levels: frames become float32
            in [0, 1], four times as large. Only PackClip may follow.

    Raises:
        ValueError: both or none of ``size`` and ``short_side``, or a bad value.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        short_side: int | Sequence[int] | None = None,
        resizer: str = 'opencv',
        interpolation: str = 'bilinear',
        exact: bool = False,
    ) -> None:
        if (size is None) == (short_side is None):
            raise ValueError(
                f'ClipResize got size={size} and short_side={short_side}: give one.'
            )
        check_resizer(resizer, interpolation)
        self.size = None if size is None else as_size('size of ClipResize', size)
        self.short_side = None if short_side is None else _sides(short_side)
        self.resizer, self.interpolation = resizer, interpolation
        if exact and resizer != 'opencv':
            raise ValueError(
                f"exact=True of ClipResize needs resizer='opencv', not {resizer!r}."
            )
        self.exact = exact

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``size``: (height, width) of the result."""
        if self.short_side is None:
            return dict(size=self.size)
        low, high = self.short_side
        side = low if low == high else int(rng.integers(low, high + 1))
        return dict(size=short_side_size(self.frame_size(sample), side))

    def apply(self, sample: dict[str, Any], size: Size) -> dict[str, Any]:
        """Resize to ``size``; frames of that size are handed on."""
        frames = self.frames(sample)
        if self.exact:
            return {
                **sample,
                'frames': resize_exactly(frames, size, self.interpolation),
            }
        if all(frame.shape[:2] == tuple(size) for frame in frames):
            return dict(sample)
        boxes = [(0, 0, *frame.shape[:2]) for frame in frames]
        resized = resize_boxes(frames, boxes, size, self.resizer, self.interpolation)
        return {**sample, 'frames': resized}


def _sides(short_side: int | Sequence[int]) -> Size:
    low, high = as_size('short_side of ClipResize', short_side)
    if low > high:
        raise ValueError(
            f'short_side of ClipResize should be a side or (smallest, largest), '
            f'not {short_side}.'
        )
    return low, high
