"""Crops of a fixed size, without resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from densecorr.datasets.transforms.base import ClipTransform, draw_rows
from densecorr.datasets.transforms.boxes import (
    Size,
    as_size,
    center_box,
    check_inside,
    random_corner,
)
from densecorr.registry import TRANSFORMS


class _Crop(ClipTransform):
    def __init__(self, size: int | Sequence[int]) -> None:
        self.size: Size = as_size(f'size of {type(self).__name__}', size)

    def apply(self, sample: dict[str, Any], boxes: np.ndarray) -> dict[str, Any]:
        """Cut out box i, (top, left, height, width), of frame i: views, no copies."""
        frames = [
            frame[top : top + height, left : left + width]
            for frame, (top, left, height, width) in zip(
                self.frames(sample), boxes, strict=True
            )
        ]
        return {**sample, 'frames': frames}

    def _check(self, sample: dict[str, Any]) -> Size:
        image_size = self.frame_size(sample)
        what = f'the crop of {type(self).__name__}'
        check_inside(self.size, image_size, what)
        return image_size


@TRANSFORMS.register_module()
class ClipCenterCrop(_Crop):
    """Cut out the centre of all frames. Reads and writes ``frames``.

    Args:
        size: (height, width) or one side of a square.
    """

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``boxes`` (t, 4): nothing is random.

        Raises:
            ValueError: the crop is larger than the frames.
        """
        del rng
        box = center_box(self._check(sample), self.size)
        return dict(boxes=np.array([box] * len(sample['frames'])))


@TRANSFORMS.register_module()
class ClipRandomCrop(_Crop):
    """Cut out a part at a random place. Reads and writes ``frames``.

    Args:
        size: (height, width) or one side of a square.
        per_frame: a place for every frame instead of one for the clip.
    """

    def __init__(self, size: int | Sequence[int], per_frame: bool = False) -> None:
        super().__init__(size)
        self.per_frame = per_frame

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``boxes`` (t, 4): (top, left, height, width) in pixels.

        Raises:
            ValueError: the crop is larger than the frames.
        """
        image_size = self._check(sample)

        def box() -> tuple[int, int, int, int]:
            return *random_corner(
                image_size, self.size, rng.random(2).tolist()
            ), *self.size

        rows = draw_rows(box, len(sample['frames']), self.per_frame)
        return dict(boxes=np.array(rows))
