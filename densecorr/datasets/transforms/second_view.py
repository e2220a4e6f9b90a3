"""A second, zoomed view of a clip, and how it lies in the first one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from densecorr.datasets.transforms.base import (
    ClipTransform,
    check_probability,
    check_range,
)
from densecorr.datasets.transforms.boxes import random_corner
from densecorr.datasets.transforms.flip import LEFT_RIGHT
from densecorr.datasets.transforms.resampling import check_resizer, resize_boxes
from densecorr.ops.affine import inverse_affine, similarity_matrix
from densecorr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipSecondView(ClipTransform):
    """Mirror, crop and enlarge all frames alike into a view beside the main one.

    The second view is the mirrored frame (or the frame), a part of it of the drawn
    zoom, resized to the frame's size. Reads ``frames``; adds ``second_frames``
    ``(t, H, W, 3)`` and ``theta`` ``(2, 3)`` float32, which maps coordinates of the
    second view to those of the main one, see :mod:`densecorr.ops.affine`.

    Args:
        zoom: (smallest, largest) side of the part as a share of the frame's.
        flip_prob: how often the view is mirrored.
        resizer: ``'pillow'``, ``'opencv'`` or ``'torch_antialias'``; all are bilinear.

    Raises:
        ValueError: a range or a probability makes no sense.

    Reference: Araslanov et al., NeurIPS 2021, arXiv:2111.06265, "guided" flip and zoom.
        Official: visinf/dense-ulearn-vos (88e5e35).

    Note:
        As officially, the zoom of ``theta`` is the drawn one, the part of the frame
        has its sides rounded down: less than a pixel apart.
    """

    def __init__(
        self,
        zoom: Sequence[float] = (0.5, 1.0),
        flip_prob: float = 0.5,
        resizer: str = 'pillow',
    ) -> None:
        self.zoom = check_range('zoom of ClipSecondView', zoom, 0, 1)
        if self.zoom[0] <= 0:
            raise ValueError(f'zoom of ClipSecondView is {tuple(zoom)}; give above 0.')
        self.flip_prob = check_probability('flip_prob of ClipSecondView', flip_prob)
        check_resizer(resizer, 'bilinear')
        self.resizer = resizer

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``flip`` bool, ``zoom``, ``corner`` (top, left) in pixels; one for the clip.

        Raises:
            ValueError: the smallest zoom leaves no pixel.
        """
        flip = bool(rng.random() < self.flip_prob)
        zoom = float(rng.uniform(*self.zoom))
        size = self.frame_size(sample)
        part = _part(size, zoom)
        return dict(
            flip=flip,
            zoom=zoom,
            corner=random_corner(size, part, rng.random(2).tolist()),
        )

    def apply(
        self, sample: dict[str, Any], flip: bool, zoom: float, corner: Sequence[int]
    ) -> dict[str, Any]:
        """Add the view."""
        frames, size = self.frames(sample), self.frame_size(sample)
        (height, width), (top, left) = size, corner
        part = _part(size, zoom)
        if flip:
            frames = [cv2.flip(frame, LEFT_RIGHT) for frame in frames]
        boxes = [(int(top), int(left), *part)] * len(frames)
        second = resize_boxes(frames, boxes, size, self.resizer, 'bilinear')
        shift = (top + part[0] / 2 - height / 2, left + part[1] / 2 - width / 2)
        matrix = similarity_matrix(size, shift, zoom, -1 if flip else 1)
        theta = inverse_affine(matrix).astype(np.float32)
        return {**sample, 'second_frames': second, 'theta': theta}


def _part(size: tuple[int, int], zoom: float) -> tuple[int, int]:
    """Size of the part that is enlarged, rounded down."""
    height, width = int(zoom * size[0]), int(zoom * size[1])
    if min(height, width) < 1:
        raise ValueError(
            f'a zoom of {zoom:g} leaves no pixel of a frame of {size[0]}x{size[1]} '
            '(H x W). Raise the zoom of ClipSecondView, or crop larger frames.'
        )
    return height, width
