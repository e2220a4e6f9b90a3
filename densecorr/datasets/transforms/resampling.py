"""Resizing uint8 images, on arrays."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from densecorr.datasets.transforms.boxes import Box, Size

RESIZERS = ('opencv', 'pillow', 'torch_antialias')
INTERPOLATIONS = ('bilinear', 'bicubic', 'nearest')
_OPENCV = dict(
    bilinear=cv2.INTER_LINEAR, bicubic=cv2.INTER_CUBIC, nearest=cv2.INTER_NEAREST
)
_PILLOW = dict(
    bilinear=Image.Resampling.BILINEAR,
    bicubic=Image.Resampling.BICUBIC,
    nearest=Image.Resampling.NEAREST,
)


def check_resizer(resizer: str, interpolation: str) -> None:
    """Refuse unknown names.

    Raises:
        ValueError: one of them is unknown, or they do not go together.
    """
    for name, value, allowed in [
        ('resizer', resizer, RESIZERS),
        ('interpolation', interpolation, INTERPOLATIONS),
    ]:
        if value not in allowed:
            raise ValueError(f'{name} is {value!r}, allowed are {allowed}.')
    if resizer == 'torch_antialias' and interpolation == 'nearest':
        raise ValueError(
            "interpolation='nearest' smooths nothing: take resizer='opencv' or "
            "'pillow', not 'torch_antialias'."
        )


def resize_into(
    image: np.ndarray, out: np.ndarray, resizer: str, interpolation: str
) -> None:
    """Resize ``image`` (H, W, 3) to the size of ``out`` and write it there.

    Args:
        image: uint8, may be a view.
        out: ``(h, w, 3)`` uint8, contiguous.
        resizer: ``'opencv'`` does not smooth before it shrinks; ``'pillow'`` does
            (antialiasing), as torchvision's transforms of Pillow images;
            ``'torch_antialias'`` is Pillow's filter in a fifth of its time, bilinear
            within one grey level.
        interpolation: one of ``INTERPOLATIONS``.
    """
    height, width = out.shape[:2]
    if image.shape == out.shape:
        np.copyto(out, image)
    elif resizer == 'opencv':
        kind = _OPENCV[interpolation]
        cv2.resize(image, (width, height), dst=out, interpolation=kind)
    elif resizer == 'pillow':
        smooth = Image.fromarray(image).resize((width, height), _PILLOW[interpolation])
        np.copyto(out, np.asarray(smooth))
    else:
        # a view, or a batch axis without a stride, would leave torch's fast path
        batch = np.ascontiguousarray(image).reshape(1, *image.shape)
        pixels = torch.from_numpy(batch).permute(0, 3, 1, 2)  # (1, 3, H, W)
        resized = F.interpolate(
            pixels, (height, width), mode=interpolation, antialias=True
        )
        np.copyto(out, resized[0].permute(1, 2, 0).numpy())


def resize_boxes(
    frames: Sequence[np.ndarray],
    boxes: Sequence[Box],
    size: Size,
    resizer: str,
    interpolation: str,
) -> np.ndarray:
    """Crop box i of image i and resize it: ``(len(frames), *size, 3)`` uint8.

    The crop comes first: pixels outside the box never enter the result.
    """
    out = np.empty((len(frames), *size, 3), np.uint8)
    for image, (top, left, height, width), target in zip(
        frames, boxes, out, strict=True
    ):
        crop = image[top : top + height, left : left + width]
        resize_into(crop, target, resizer, interpolation)
    return out


def resize_exactly(
    frames: Sequence[np.ndarray], size: Size, interpolation: str
) -> np.ndarray:
    """Resize uint8 images by OpenCV: ``(len(frames), *size, 3)`` float32 in [0, 1]."""
    height, width = size
    levels = np.float32(np.iinfo(np.uint8).max)
    kind = _OPENCV[interpolation]
    return np.stack(
        [
            cv2.resize(frame / levels, (width, height), interpolation=kind)
            for frame in frames
        ]
    )
