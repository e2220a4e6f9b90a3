"""Outlines of sprites as polygons, and polygons as bitmaps."""

from __future__ import annotations

import numpy as np

from .fixed import ONE, TRIG_BITS, TURN, cosine, sine

CELLS = 4  # cells of an outline's bitmap per texture pixel and axis
MARGIN = 3  # texture pixels around an outline
_STEP = ONE // CELLS
_POINTS = 48  # vertices of a round outline
_FULL = 1000  # an outline has about this radius

Points = list[tuple[int, int]]


def polar(radius: int, lobes: int = 0, depth: int = 0, squeeze: int = 1000) -> Points:
    """Round outline ``r (1 + depth / 1000 cos(lobes a))``, a turned to start on top.

    Args:
        radius: in thousandths of the sprite's radius.
        lobes: waves around the outline.
        depth: of the waves in thousandths of the radius.
        squeeze: factor on x in thousandths.
    """
    points = []
    for k in range(_POINTS):
        angle = k * TURN // _POINTS
        r = radius * ((1000 << TRIG_BITS) + depth * cosine(lobes * angle))
        x, y = (r * f(angle) >> 2 * TRIG_BITS for f in (sine, cosine))
        points.append((x * squeeze // 1_000_000, -y // 1000))
    return points


def spikes(count: int, inner: int) -> Points:
    """A star of ``count`` points whose dents have radius ``inner`` thousandths."""
    points = []
    for k in range(2 * count):
        angle, r = k * TURN // (2 * count), inner if k % 2 else _FULL
        points.append((r * sine(angle) >> TRIG_BITS, -(r * cosine(angle)) >> TRIG_BITS))
    return points


def mirrored(half: Points) -> Points:
    """An outline of its right half, given from top to bottom."""
    return half + [(-x, y) for x, y in reversed(half)]


def capsule(length: int, first: int, last: int) -> Points:
    """A limb along y from 0 to ``length`` with round ends of two radii."""
    points = []
    for k in range(_POINTS // 2 + 1):
        angle = k * TURN // _POINTS - TURN // 4
        points.append(
            (
                last * sine(angle) >> TRIG_BITS,
                length + (last * cosine(angle) >> TRIG_BITS),
            )
        )
    for k in range(_POINTS // 2 + 1):
        angle = k * TURN // _POINTS + TURN // 4
        points.append(
            (first * sine(angle) >> TRIG_BITS, first * cosine(angle) >> TRIG_BITS)
        )
    return points


# Right halves in thousandths of the radius, top to bottom.
_HEART = [
    (0, -480),
    (130, -740),
    (330, -860),
    (560, -850),
    (760, -700),
    (840, -460),
    (800, -200),
    (640, 100),
    (400, 420),
    (180, 690),
    (0, 900),
]
_SHIELD = [
    (0, -850),
    (300, -800),
    (700, -860),
    (780, -300),
    (700, 150),
    (500, 520),
    (250, 790),
    (0, 930),
]
_HOUSE = [(0, -950), (860, -200), (640, -200), (640, 800)]
_BELL = [
    (0, -900),
    (180, -860),
    (330, -720),
    (420, -450),
    (480, -50),
    (620, 300),
    (800, 520),
    (760, 640),
    (260, 660),
    (200, 820),
    (0, 890),
]
_DROP = [
    (0, -1000),
    (120, -700),
    (330, -330),
    (550, -20),
    (660, 260),
    (620, 540),
    (450, 760),
    (220, 870),
    (0, 900),
]
_KITE = [(0, -1000), (680, -250), (0, 1000)]
_LEAF = [
    (0, -1000),
    (260, -780),
    (480, -450),
    (560, -80),
    (500, 300),
    (340, 640),
    (120, 900),
    (0, 1000),
]
_CROSS = [(340, -900), (340, -340), (900, -340), (900, 340), (340, 340), (340, 900)]
_TILE = [(560, -800), (730, -730), (800, -560), (800, 560), (730, 730), (560, 800)]
_FISH: Points = [
    (-980, 60),
    (-820, -190),
    (-520, -400),
    (-160, -490),
    (180, -420),
    (450, -240),
    (600, -110),
    (930, -430),
    (980, -380),
    (860, 0),
    (980, 420),
    (930, 470),
    (600, 170),
    (420, 320),
    (140, 470),
    (-200, 520),
    (-560, 420),
    (-840, 240),
]
OUTLINES: dict[str, Points] = dict(
    ball=polar(900),
    egg=polar(950, squeeze=760),
    gem=spikes(3, 1000),
    flower=polar(840, 5, 190),
    cloud=polar(880, 7, 70),
    heart=mirrored(_HEART),
    star=spikes(5, 560),
    shield=mirrored(_SHIELD),
    house=mirrored(_HOUSE),
    fish=_FISH,
    leaf=mirrored(_LEAF),
    drop=mirrored(_DROP),
    gear=polar(860, 8, 120),
    kite=mirrored(_KITE),
    cross=mirrored(_CROSS),
    bell=mirrored(_BELL),
    bean=polar(840, 2, 200),
    tile=mirrored(_TILE),
)


def scaled(points: Points, radius: int) -> np.ndarray:
    """Vertices of an outline.

    Args:
        points: in thousandths of ``radius``.
        radius: in 1/65536 px.

    Returns:
        ``(n, 2)`` int64 ``(x, y)`` in 1/65536 px.
    """
    return np.array(points, np.int64) * radius // _FULL


def rasterize(vertices: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Fill a polygon by the even-odd rule.

    A cell is inside when its centre is, by the edges to its left; an edge belongs to
    the rows ``min y <= y < max y``, and a centre on an edge to what is left of it.

    Args:
        vertices: ``(n, 2)`` int64 ``(x, y)`` in 1/65536 px.

    Returns:
        ``(rows, columns)`` bool with ``CELLS`` x ``CELLS`` cells per pixel and a
        margin of ``MARGIN`` pixels, and the ``(x, y)`` in 1/65536 px of its top left.
    """
    low = vertices.min(0) // ONE - MARGIN  # whole pixels
    high = -(-vertices.max(0) // ONE) + MARGIN
    columns, rows = ((high - low) * CELLS).tolist()
    centre = low[1] * ONE + _STEP * np.arange(rows) + _STEP // 2
    toggles = np.zeros((rows, columns + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, 0), strict=True):
        (row,) = np.nonzero((min(y0, y1) <= centre) & (centre < max(y0, y1)))
        if len(row):
            cross = x0 + (centre[row] - y0) * (x1 - x0) // (y1 - y0)
            first = (cross - low[0] * ONE - _STEP // 2) // _STEP + 1
            np.add.at(toggles, (row, first), 1)
    inside = np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1
    return inside, (int(low[0]) * ONE, int(low[1]) * ONE)
