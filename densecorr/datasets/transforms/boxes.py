"""Boxes of crops and sizes of resized frames, as pure functions of drawn numbers.

A box is (top, left, height, width), a size (height, width), all in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Box = tuple[int, int, int, int]
Size = tuple[int, int]

FALLBACKS = ('central', 'square')


def random_resized_box(
    image_size: Size,
    areas: Sequence[float],
    aspects: Sequence[float],
    offsets: Sequence[float],
    fallback: Box,
) -> Box:
    """The first candidate box that fits into the image.

    Candidate i is ``round(sqrt(area * aspect))`` wide and
    ``round(sqrt(area / aspect))`` high with ``area = areas[i] * H * W``.

    Args:
        image_size: (H, W).
        areas: of each candidate, as a fraction of the image's.
        aspects: width / height of each candidate.
        offsets: two numbers in [0, 1): where the box lies between the top and the
            bottom, the left and the right end of its range; all positions are
            equally likely.
        fallback: the box where no candidate fits.

    Reference: torchvision ``transforms.RandomResizedCrop.get_params``.
    """
    height, width = image_size
    for area, aspect in zip(areas, aspects, strict=True):
        pixels = height * width * area
        w, h = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
        if 0 < w <= width and 0 < h <= height:
            return *random_corner(image_size, (h, w), offsets), h, w
    return fallback


def random_corner(
    image_size: Size, size: Size, offsets: Sequence[float]
) -> tuple[int, int]:
    """(top, left) of a box, uniform over the places where it fits.

    Args:
        image_size: (H, W).
        size: of the box, at most ``image_size``.
        offsets: two uniform numbers in [0, 1).
    """
    top, left = (
        int(offset * (full - part + 1))
        for offset, full, part in zip(offsets, image_size, size, strict=True)
    )
    return top, left


def central_box(image_size: Size, ratio: tuple[float, float]) -> Box:
    """The largest centred box whose width / height is in ``ratio`` (torchvision)."""
    height, width = image_size
    if width / height < ratio[0]:
        height = round(width / ratio[0])
    elif width / height > ratio[1]:
        width = round(height * ratio[1])
    top, left = (image_size[0] - height) // 2, (image_size[1] - width) // 2
    return top, left, height, width


def square_box(image_size: Size) -> Box:
    """The centred square of the short side."""
    side = min(image_size)
    return (image_size[0] - side) // 2, (image_size[1] - side) // 2, side, side


def center_box(image_size: Size, size: Size) -> Box:
    """A centred box; halves are rounded to even, as in torchvision's ``CenterCrop``."""
    top, left = (
        round((full - part) / 2) for full, part in zip(image_size, size, strict=True)
    )
    return top, left, *size


def short_side_size(image_size: Size, short_side: int) -> Size:
    """Short side exactly ``short_side``; the long side keeps the ratio, rounded down.

    Reference: torchvision ``transforms.Resize`` with an int.
    """
    height, width = image_size
    if height <= width:
        return short_side, short_side * width // height
    return short_side * height // width, short_side


def window_corners(image_size: Size, window: int, stride: int) -> np.ndarray:
    """(top, left) of all windows inside an image, ``(n, 2)`` int64 in raster order."""
    rows, columns = (np.arange(0, side - window + 1, stride) for side in image_size)
    grid = np.meshgrid(rows, columns, indexing='ij')
    return np.stack(grid, axis=-1).reshape(-1, 2)


def check_inside(box_size: Size, image_size: Size, what: str) -> None:
    """Refuse a crop that is larger than its image.

    Raises:
        ValueError: it is; ``what`` begins the text.
    """
    if box_size[0] > image_size[0] or box_size[1] > image_size[1]:
        raise ValueError(
            f'{what} is {box_size[0]}x{box_size[1]} (H x W), larger than the frame of '
            f'{image_size[0]}x{image_size[1]}. Put a ClipResize before it, or choose a '
            'smaller size.'
        )


def as_size(name: str, size: int | Sequence[int]) -> Size:
    """One side or (height, width) as (height, width).

    Raises:
        ValueError: a side is not a positive whole number; ``name`` is in the text.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or any(int(side) != side or side < 1 for side in sides):
        raise ValueError(
            f'{name} should be a side or (height, width) in pixels, not {size!r}.'
        )
    return int(sides[0]), int(sides[1])
