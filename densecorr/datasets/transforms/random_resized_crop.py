"""Crop a random part of the frames and resize it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from densecorr.datasets.transforms.base import ClipTransform, check_range, draw_rows
from densecorr.datasets.transforms.boxes import (
    FALLBACKS,
    Box,
    Size,
    as_size,
    central_box,
    random_resized_box,
    square_box,
)
from densecorr.datasets.transforms.resampling import check_resizer, resize_boxes
from densecorr.registry import TRANSFORMS

TRIES = 10  # candidate boxes in torchvision and in mmaction


def draw_box(
    rng: np.random.Generator,
    image_size: Size,
    area: tuple[float, float],
    ratio: tuple[float, float],
    fallback: Box,
    tries: int = TRIES,
) -> Box:
    """Draw :func:`random_resized_box`.

    Args:
        rng: gives ``2 * tries + 2`` numbers.
        image_size: (H, W).
        area: range of the box's area, a fraction of the image's, uniform.
        ratio: range of width / height, uniform in the logarithm.
        fallback: the box where no candidate fits.
        tries: number of candidates.
    """
    *pairs, offsets = rng.random((tries + 1, 2)).tolist()
    low, high = math.log(ratio[0]), math.log(ratio[1])
    areas = [area[0] + (area[1] - area[0]) * u for u, _ in pairs]
    aspects = [math.exp(low + (high - low) * u) for _, u in pairs]
    return random_resized_box(image_size, areas, aspects, offsets, fallback)


@TRANSFORMS.register_module()
class ClipRandomResizedCrop(ClipTransform):
    """Crop a part of random area, shape and place, and resize it.

    Reads and writes ``frames``.

    Args:
        size: (height, width) of the result, or one side of a square.
        area: range of the part's area, a fraction of the frame's.
        ratio: range of the part's width / height.
        tries: boxes that are tried until one fits.
        fallback: where none fits: ``'central'``, the largest centred box whose ratio
            is in range (torchvision), or ``'square'``, the centred square of the
            short side (mmaction).
        per_frame: a part for every frame instead of one for the clip.
        resizer: ``'opencv'`` (fast, no smoothing), ``'pillow'`` (antialiased) or
            ``'torch_antialias'`` (nearly the same, fast).
        interpolation: ``'bilinear'``, ``'bicubic'`` or ``'nearest'``.

    Raises:
        ValueError: a value is out of range or unknown.

    Reference: torchvision ``transforms.RandomResizedCrop``.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        area: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        tries: int = TRIES,
        fallback: str = 'central',
        per_frame: bool = False,
        resizer: str = 'opencv',
        interpolation: str = 'bilinear',
    ) -> None:
        check_resizer(resizer, interpolation)
        if fallback not in FALLBACKS:
            raise ValueError(f'fallback is {fallback!r}, allowed are {FALLBACKS}.')
        if tries < 0:
            raise ValueError(f'tries is {tries}, it must be at least 0.')
        self.size = as_size('size of ClipRandomResizedCrop', size)
        self.area, self.ratio = check_area(area), check_ratio(ratio)
        self.tries, self.fallback, self.per_frame = tries, fallback, per_frame
        self.resizer, self.interpolation = resizer, interpolation

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``boxes`` (t, 4): (top, left, height, width) in pixels."""
        size = self.frame_size(sample)
        central = self.fallback == 'central'
        fallback = central_box(size, self.ratio) if central else square_box(size)

        def box() -> Box:
            return draw_box(rng, size, self.area, self.ratio, fallback, self.tries)

        rows = draw_rows(box, len(sample['frames']), self.per_frame)
        return dict(boxes=np.array(rows))

    def apply(self, sample: dict[str, Any], boxes: np.ndarray) -> dict[str, Any]:
        """Crop box i of frame i and resize it."""
        frames = resize_boxes(
            self.frames(sample),
            boxes.tolist(),
            self.size,
            self.resizer,
            self.interpolation,
        )
        return {**sample, 'frames': frames}


def check_area(area: Sequence[float]) -> tuple[float, float]:
    """A range of areas in (0, 1].

    Raises:
        ValueError: it is empty or not within.
    """
    low, high = check_range('area', area, 0, 1)
    if low == 0:
        raise ValueError(f'area should begin above 0, not {tuple(area)}.')
    return low, high


def check_ratio(ratio: Sequence[float]) -> tuple[float, float]:
    """A range of positive ratios.

    Raises:
        ValueError: it is empty or not positive.
    """
    low, high = check_range('ratio', ratio, 0)
    if low == 0:
        raise ValueError(f'ratio should begin above 0, not {tuple(ratio)}.')
    return low, high
