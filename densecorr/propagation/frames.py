"""From a frame of a video to the input of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from densecorr.ops.size_policy import Size, SizePlan, resolve_size

COLORS = ('rgb', 'lab')
RESIZERS = ('opencv', 'pillow', 'torch', 'torch_align_corners')


class FrameInput:
    """Resize, change the colour space, normalise and pad a frame.

    Args:
        color: ``'rgb'`` in [0, 1], or ``'lab'``: OpenCV's float LAB, L in [0, 100],
            a and b within about 127 of 0.
        mean: per channel, in the values of ``color``.
        std: per channel, in the values of ``color``.
        size: arguments of :func:`densecorr.ops.size_policy.resolve_size`, for example
            ``dict(short_side=480, long_multiple=64)``. Empty: the frame's own size.
        resizer: bilinear all: ``'opencv'`` on uint8, ``'pillow'`` on uint8 with
            antialiasing, ``'torch'`` on floats with half-pixel centres,
            ``'torch_align_corners'`` on floats, corners on corners.
        multiple: the network takes sides that are multiples of this; ``size`` may
            demand another one. Frames of other sides are refused unless ``size`` has
            a ``rounding``.

    Padding is 0 after normalisation, the mean colour.
    """

    def __init__(
        self,
        color: str = 'rgb',
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        size: Mapping[str, Any] | None = None,
        resizer: str = 'opencv',
        multiple: int = 1,
    ) -> None:
        for name, value, allowed in [
            ('color', color, COLORS),
            ('resizer', resizer, RESIZERS),
        ]:
            if value not in allowed:
                raise ValueError(f'{name} is {value!r}, allowed are {allowed}.')
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                f'mean is {tuple(mean)} and std {tuple(std)}: each needs three '
                'numbers, those of std positive.'
            )
        self.color, self.resizer = color, resizer
        self.mean = np.asarray(mean, np.float32)
        self.std = np.asarray(std, np.float32)
        self.size: dict[str, Any] = {'multiple': multiple, **(size or {})}
        resolve_size((multiple, multiple), **{**self.size, 'rounding': 'nearest'})

    def plan(self, height: int, width: int) -> SizePlan:
        """The way of a frame of this size to the network and back."""
        corners = self.resizer == 'torch_align_corners'
        return resolve_size((height, width), **self.size, align_corners=corners)

    def __call__(self, frame: np.ndarray) -> Tensor:
        """``(H, W, 3)`` uint8 RGB to ``(3, H', W')`` float32.

        Raises:
            TypeError: the frame is not a uint8 image of three channels.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise TypeError(
                f'a frame is {frame.dtype} of shape {frame.shape}, FrameInput takes '
                'uint8 RGB of shape (H, W, 3). Read frames with utils.images.'
            )
        plan = self.plan(*frame.shape[:2])
        pixels = self._resize(frame, plan)  # float32 (h, w, 3) in [0, 1]
        if self.color == 'lab':
            pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
        pixels = (pixels - self.mean) / self.std
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return plan.pad_maps(image)  # (3, H', W')

    def _resize(self, frame: np.ndarray, plan: SizePlan) -> np.ndarray:
        if self.resizer in ('opencv', 'pillow'):
            resize = _resize_opencv if self.resizer == 'opencv' else _resize_pillow
            if plan.resized_size != plan.image_size:
                frame = resize(frame, plan.resized_size)
            return frame.astype(np.float32) / np.float32(255)
        pixels = frame.astype(np.float32) / np.float32(255)
        if plan.resized_size == plan.image_size:
            return pixels
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        resized = resize_maps(image, plan.resized_size, plan.align_corners)
        return np.ascontiguousarray(resized.permute(1, 2, 0).numpy())


def resize_maps(maps: Tensor, size: Size, align_corners: bool = False) -> Tensor:
    """Bilinear without antialiasing, ``(..., c, H, W)`` to ``(..., c, h, w)``."""
    flat = maps.reshape(-1, *maps.shape[-3:])
    out = F.interpolate(flat, size=size, mode='bilinear', align_corners=align_corners)
    return out.reshape(*maps.shape[:-2], *size)


def _resize_opencv(frame: np.ndarray, size: Size) -> np.ndarray:
    return cv2.resize(frame, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _resize_pillow(frame: np.ndarray, size: Size) -> np.ndarray:
    image = Image.fromarray(frame)
    resized = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)
