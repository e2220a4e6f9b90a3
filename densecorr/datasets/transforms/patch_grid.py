"""Cut frames into overlapping patches, the nodes of the contrastive random walk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from densecorr.datasets.transforms import color
from densecorr.datasets.transforms.base import ClipTransform, check_probability
from densecorr.datasets.transforms.boxes import (
    central_box,
    check_inside,
    window_corners,
)
from densecorr.datasets.transforms.color_jitter import JitterRanges
from densecorr.datasets.transforms.flip import LEFT_RIGHT
from densecorr.datasets.transforms.random_resized_crop import (
    check_area,
    check_ratio,
    draw_box,
)
from densecorr.datasets.transforms.resampling import check_resizer, resize_into
from densecorr.registry import TRANSFORMS

_INTERPOLATION = 'bilinear'


@TRANSFORMS.register_module()
class PatchGrid(ClipTransform):
    """Windows on a grid, each changed by draws of its own.

    Reads ``frames`` (t, H, W, 3); writes ``frames`` (t, n, p, p, 3), windows in raster
    order. Only PackClip comes after it.

    Args:
        patch_size: side p of a window and of a patch, in pixels.
        stride: of the grid, in pixels.
        area: range of the area of the random crop inside a window, a fraction of the
            window's; None: no crop.
        ratio: range of the crop's width / height.
        flip_prob: how often a patch is mirrored.
        jitter: arguments of :class:`JitterRanges`; None or none of them: colours stay.
        resizer: ``'pillow'`` (antialiased, as published), ``'torch_antialias'`` or
            ``'opencv'`` (fast); with the latter two OpenCV changes the colours.

    Raises:
        ValueError: a value is out of range or unknown.

    Reference: Jabri et al., NeurIPS 2020, arXiv:2006.14613. Official:
        ajabri/videowalk ``code/utils/augs.py`` ``patch_grid`` (047f3f4).
    """

    def __init__(
        self,
        patch_size: int = 64,
        stride: int = 32,
        area: tuple[float, float] | None = (0.7, 0.9),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.0,
        jitter: Mapping[str, Any] | None = None,
        resizer: str = 'pillow',
    ) -> None:
        for name, value in [('patch_size', patch_size), ('stride', stride)]:
            if value < 1:
                raise ValueError(f'{name} is {value}, it must be at least 1.')
        check_resizer(resizer, _INTERPOLATION)
        self.patch_size, self.stride = patch_size, stride
        self.area = None if area is None else check_area(area)
        self.ratio = check_ratio(ratio)
        self.flip_prob = check_probability('flip_prob', flip_prob)
        self.jitter = JitterRanges(**jitter) if jitter else None
        self.resizer = resizer
        self.engine = 'pillow' if resizer == 'pillow' else 'opencv'

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """Numbers of all patches.

        Returns:
            ``boxes`` (t, n, 4): (top, left, height, width) in pixels of the window;
            with ``flip_prob`` also ``flips`` (t, n) bool, with ``jitter`` also
            ``orders`` (t, n, 4) int64 and ``factors`` (t, n, 4).

        Raises:
            ValueError: a patch is larger than the frames.
        """
        num_frames, n = len(sample['frames']), len(self._corners(sample))
        drawn: dict[str, Any] = dict(boxes=self._boxes(rng, num_frames, n))
        if self.flip_prob:
            drawn['flips'] = rng.random((num_frames, n)) < self.flip_prob
        if self.jitter is not None:
            rows = [self.jitter.draw(rng) for _ in range(num_frames * n)]
            for name, column in zip(
                ('orders', 'factors'), zip(*rows, strict=True), strict=True
            ):
                drawn[name] = np.array(column).reshape(num_frames, n, -1)
        return drawn

    def apply(
        self,
        sample: dict[str, Any],
        boxes: np.ndarray,
        flips: np.ndarray | None = None,
        orders: np.ndarray | None = None,
        factors: np.ndarray | None = None,
    ) -> dict[str, Any]:
        """Cut out the windows, crop, mirror and colour each by its own numbers."""
        corners, side = self._corners(sample), self.patch_size
        patches = np.empty((len(boxes), len(corners), side, side, 3), np.uint8)
        for t, frame in enumerate(self.frames(sample)):
            places = boxes[t] + np.pad(corners, ((0, 0), (0, 2)))  # in the frame
            for patch, (top, left, height, width) in zip(
                patches[t], places.tolist(), strict=True
            ):
                crop = frame[top : top + height, left : left + width]
                resize_into(crop, patch, self.resizer, _INTERPOLATION)
        if flips is not None:
            for t, n in np.argwhere(flips):
                patches[t, n] = cv2.flip(patches[t, n], LEFT_RIGHT)
        if orders is not None and factors is not None:
            for t, n in np.ndindex(patches.shape[:2]):
                patch = patches[t, n]
                color.jitter(patch, orders[t, n], factors[t, n], self.engine, patch)
        return {**sample, 'frames': patches}

    def _boxes(self, rng: np.random.Generator, num_frames: int, n: int) -> np.ndarray:
        window = (self.patch_size, self.patch_size)
        if self.area is None:
            return np.tile([0, 0, *window], (num_frames, n, 1))
        fallback = central_box(window, self.ratio)
        rows = [
            draw_box(rng, window, self.area, self.ratio, fallback)
            for _ in range(num_frames * n)
        ]
        return np.array(rows).reshape(num_frames, n, 4)

    def _corners(self, sample: dict[str, Any]) -> np.ndarray:
        size = self.frame_size(sample)
        check_inside((self.patch_size,) * 2, size, 'a patch of PatchGrid')
        return window_corners(size, self.patch_size, self.stride)
