"""Textures in integers: noise of several scales, patterns, palettes, lookup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fixed import ONE, Draws, hash_counters, hash_keys

Color = tuple[int, int, int]

_LEVELS = 256  # noise is in 0 .. 255
_FIELD = 20  # bits per channel of a packed colour: 8 of the value, 8 of the weights
_CHANNEL = (1 << _FIELD) - 1
_BLEND_BITS = 4  # bilinear weights are products of two 4-bit fractions


def value_noise(key: int, height: int, width: int, cell: int) -> np.ndarray:
    """Smooth noise: random values on a lattice, joined by ``3 f^2 - 2 f^3``.

    Args:
        key: of the random values.
        height: rows in pixels.
        width: columns in pixels.
        cell: distance of lattice points in pixels.

    Returns:
        ``(height, width)`` int64 in 0..255.
    """
    shape = (height // cell + 2, width // cell + 2)
    lattice = (hash_counters(key, shape) >> np.uint64(56)).astype(np.int64)
    row, y = np.divmod(np.arange(height), cell)
    column, x = np.divmod(np.arange(width), cell)
    y, x = (_LEVELS * k * k * (3 * cell - 2 * k) // cell**3 for k in (y, x))
    rows = lattice[row] * (_LEVELS - y)[:, None] + lattice[row + 1] * y[:, None]
    both = rows[:, column] * (_LEVELS - x) + rows[:, column + 1] * x
    return both // _LEVELS**2


def octaves(key: int, height: int, width: int, cells: list[int]) -> np.ndarray:
    """Mean of noises of several cells; later ones weigh half of the one before.

    Returns:
        ``(height, width)`` int64 in 0..255, stretched to use most of the range.
    """
    total, weight = np.zeros((height, width), np.int64), 0
    for k, cell in enumerate(cells):
        share = 1 << len(cells) - 1 - k
        total += share * value_noise(hash_keys(key, k), height, width, cell)
        weight += share
    mean = total // weight
    return np.clip((mean - 128) * 9 // 5 + 128, 0, _LEVELS - 1)


def stripes(
    warp: np.ndarray, direction: tuple[int, int], period: int, bend: int
) -> np.ndarray:
    """Soft parallel bands, bent by a noise.

    Args:
        warp: ``(height, width)`` noise in 0..255.
        direction: across the bands, ``(x, y)`` in eighths.
        period: of the bands in pixels.
        bend: how far the noise shifts them, in pixels.

    Returns:
        ``(height, width)`` int64 in 0..255.
    """
    height, width = warp.shape
    x, y = np.arange(width), np.arange(height)[:, None]
    along = (direction[0] * x + direction[1] * y) * 32 + bend * warp  # 1/256 px
    wave = np.abs(along % (256 * period) * 2 - 256 * period) // period  # 0 .. 256
    return np.clip((wave - 128) * 3 + 128, 0, _LEVELS - 1)


def dots(key: int, height: int, width: int, cell: int) -> np.ndarray:
    """Discs of random size and place, one per cell; 255 inside, 0 outside.

    Returns:
        ``(height, width)`` int64.
    """
    shape = (3, height // cell + 1, width // cell + 1)
    draws = (hash_counters(key, shape) >> np.uint64(56)).astype(np.int64)
    row, y = np.divmod(np.arange(height), cell)
    column, x = np.divmod(np.arange(width), cell)
    centre_y, centre_x, size = draws[:, row[:, None], column]  # each (height, width)
    radius = cell * (60 + size // 4) // 2  # 1/256 px, at most 0.24 cells
    centre_y, centre_x = (
        radius + (256 * cell - 2 * radius) * c // 256 for c in (centre_y, centre_x)
    )
    square = (256 * y[:, None] + 128 - centre_y) ** 2 + (256 * x + 128 - centre_x) ** 2
    return np.where(square <= radius**2, _LEVELS - 1, 0)


def _face(height: int, width: int) -> np.ndarray:
    """Two eyes and a mouth; ``(height, width)`` int64, 255 inside, 0 outside."""
    x = (2 * np.arange(width) + 1 - width) * 500 // width  # -500 .. 500 across
    y = (2 * np.arange(height)[:, None] + 1 - height) * 500 // height
    eyes = (np.abs(x) - 170) ** 2 + (y + 60) ** 2 <= 62**2
    mouth = (x**2 + (y - 60) ** 2 <= 215**2) & (x**2 + (y - 20) ** 2 > 215**2)
    return np.where(eyes | mouth & (y > 60), _LEVELS - 1, 0)


def blend(
    first: np.ndarray, second: np.ndarray | Color, weight: np.ndarray
) -> np.ndarray:
    """``first (1 - w) + second w`` with ``w`` in 0..255 standing for 0..1.

    Args:
        first: ``(height, width, 3)`` int64.
        second: the same, or one colour.
        weight: ``(height, width)``.
    """
    other = np.asarray(second, np.int64)
    share = weight[..., None]
    return (first * (_LEVELS - 1 - share) + other * share) // (_LEVELS - 1)


@dataclass(frozen=True)
class Dye:
    """Colours and pattern of a texture.

    Attributes:
        colors: three colours: ground, clouds, pattern.
        pattern: ``'stripes'``, ``'dots'``, ``'face'`` or ``'plain'``.
        grain: half range of the finest noise in grey levels.
    """

    colors: tuple[Color, Color, Color]
    pattern: str = 'plain'
    grain: int = 40


def paint(draws: Draws, height: int, width: int, dye: Dye, unit: int) -> np.ndarray:
    """A texture.

    Args:
        draws: of its random numbers.
        height: rows.
        width: columns.
        dye: colours and pattern.
        unit: coarsest scale in pixels, about half of the thing's size.

    Returns:
        ``(height, width, 3)`` uint8.
    """
    key = draws.integer(0, 1 << 62)
    cells = [max(2, unit >> k) for k in range(5)]
    coarse = octaves(hash_keys(key, 'coarse'), height, width, cells[:3])
    image = np.broadcast_to(np.asarray(dye.colors[0], np.int64), (height, width, 3))
    image = blend(image, dye.colors[1], coarse)
    if dye.pattern == 'stripes':
        direction = draws.choice(((8, 0), (0, 8), (6, 5), (6, -5), (7, 3), (3, -7)))
        period = max(4, unit * draws.integer(45, 75) // 100)
        bands = stripes(coarse, direction, period, period // 3)
        image = blend(image, dye.colors[2], bands * 3 // 4)
    elif dye.pattern == 'dots':
        cell = max(5, unit * draws.integer(70, 100) // 100)
        image = blend(image, dye.colors[2], dots(key, height, width, cell) * 7 // 8)
    elif dye.pattern == 'face':
        image = blend(image, dye.colors[2], _face(height, width))
    else:
        other = octaves(hash_keys(key, 'other'), height, width, cells[1:4])
        image = blend(image, dye.colors[2], other * other // 255)
    fine = octaves(hash_keys(key, 'fine'), height, width, cells[2:]) - 128
    return np.clip(image + (fine * dye.grain // 128)[..., None], 0, 255).astype(
        np.uint8
    )


def pack(image: np.ndarray) -> np.ndarray:
    """``(height, width, 3)`` uint8 to ``(height, width)`` int64, for :func:`sample`."""
    red, green, blue = np.moveaxis(image.astype(np.int64), -1, 0)
    return red | green << _FIELD | blue << 2 * _FIELD


def sample(
    packed: np.ndarray,
    start: np.ndarray,
    stride: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> np.ndarray:
    """Bilinear colours at texture points, weights in 1/16.

    Args:
        packed: ``(n,)`` int64 texels of all textures, row after row.
        start: first texel of the texture that a point lies on.
        stride: texels per row of that texture.
        x: columns in 1/65536 texture pixels; the centre of texel k is at k + 1/2.
        y: rows in 1/65536 texture pixels. At least half a texel from the border.

    Returns:
        the shape of ``x`` and 3, uint8.
    """
    side = 1 << _BLEND_BITS
    x = x - ONE // 2 >> 16 - _BLEND_BITS
    y = y - ONE // 2 >> 16 - _BLEND_BITS
    place = start + (y >> _BLEND_BITS) * stride + (x >> _BLEND_BITS)
    x &= side - 1
    y &= side - 1
    total = packed[place] * ((side - x) * (side - y))
    total += packed[place + 1] * (x * (side - y))
    place += stride
    total += packed[place] * ((side - x) * y)
    total += packed[place + 1] * (x * y)
    image = np.empty((*x.shape, 3), np.uint8)
    for channel in range(3):
        field = total >> channel * _FIELD + 2 * _BLEND_BITS
        image[..., channel] = field & _CHANNEL >> _FIELD - 8
    return image
