"""Draws a scene: which material point every pixel shows, and its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fixed import ONE, Draws
from .motion import MATRIX_BITS, STILL, Path, Pose, Wave
from .shapes import CELLS, rasterize
from .sprites import Sprite
from .texture import Dye, pack, paint, sample

_CELL = ONE // CELLS
_HALF = 1 << MATRIX_BITS - 1
_RIM = 2  # texture pixels of a darker rim around every piece
_RIM_SHADE = 150  # of 256


_DAYLIGHT = Wave(256)


@dataclass(frozen=True)
class Light:
    """Brightness over time and place.

    Attributes:
        level: factor on all colours in 1/256.
        slope: change of the factor from the left to the right border, in 1/256.
        warmth: added to the factor of red and taken from that of blue, in 1/256.
    """

    level: Wave = _DAYLIGHT
    slope: Wave = STILL
    warmth: Wave = STILL


STEADY = Light()


@dataclass(frozen=True)
class Backdrop:
    """The background: a texture larger than the frame that pans and zooms.

    Attributes:
        path: of the middle of the texture.
        height: of the texture in pixels.
        width: of the texture in pixels.
        dye: of the texture.
        unit: its coarsest scale in pixels.
    """

    path: Path
    height: int
    width: int
    dye: Dye
    unit: int


@dataclass(frozen=True)
class Scene:
    """All of a clip.

    Attributes:
        size: ``(H, W)`` in pixels.
        key: of all random numbers of its textures.
        backdrop: object 0.
        sprites: objects 1, 2 ...
        light: of all.
    """

    size: tuple[int, int]
    key: int
    backdrop: Backdrop
    sprites: tuple[Sprite, ...]
    light: Light = STEADY


@dataclass(frozen=True)
class Geometry:
    """What the pixels of one frame show.

    Attributes:
        piece: ``(H, W)`` int64 piece numbers, 0 = backdrop.
        x: ``(H, W)`` int64 column of the material point on the texture of its piece,
            in 1/65536 texture px.
        y: row, likewise.
    """

    piece: np.ndarray
    x: np.ndarray
    y: np.ndarray


class Renderer:
    """Draws any frame of a scene; holds the textures and nothing per frame.

    Args:
        scene: what to draw.

    Attributes:
        objects: object number of every piece, piece 0 is the backdrop.
        parts: part number of every piece.
        first: number of the first piece of every object.
        shift: texture column of every piece within its object, in 1/65536 px, so that
            no two points of an object have one place.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        backdrop = scene.backdrop
        draws = Draws(scene.key, 'backdrop')
        textures = [
            paint(draws, backdrop.height, backdrop.width, backdrop.dye, backdrop.unit)
        ]
        self._bitmaps: list[np.ndarray] = [np.ones((1, 1), bool)]
        self._pivots = [(backdrop.width * ONE // 2, backdrop.height * ONE // 2)]
        objects, parts, shift, self.first = [0], [0], [0], [0]
        for number, sprite in enumerate(scene.sprites, 1):
            self.first.append(len(objects))
            column = 0
            for k, piece in enumerate(sprite.pieces):
                inside, (left, top) = rasterize(piece.vertices)
                height, width = inside.shape[0] // CELLS, inside.shape[1] // CELLS
                draws = Draws(scene.key, 'piece', number, k)
                image = paint(draws, height, width, piece.dye, sprite.unit)
                textures.append(_darken_rim(image, inside, sprite.unit))
                self._bitmaps.append(inside)
                self._pivots.append((-left, -top))
                objects.append(number)
                parts.append(piece.part)
                shift.append(column * ONE)
                column += width
        self.objects, self.parts = np.array(objects), np.array(parts)
        self.shift = np.array(shift)
        self._widths = np.array([image.shape[1] for image in textures])
        areas = [image.shape[0] * image.shape[1] for image in textures]
        self._starts = np.concatenate([[0], np.cumsum(areas)[:-1]])
        self._texels = np.concatenate([pack(image).ravel() for image in textures])

    def present(self, number: int, t: int) -> bool:
        """Whether object ``number`` is there at frame ``t``."""
        sprite = self.scene.sprites[number - 1]
        return sprite.first <= t <= sprite.last

    def poses(self, t: int) -> list[Pose]:
        """Pose of every piece at frame ``t``."""
        poses = [self.scene.backdrop.path.at(t)]
        for sprite in self.scene.sprites:
            poses += sprite.poses(t)
        return poses

    def painting_order(self, t: int) -> list[int]:
        """Numbers of the objects that are there at frame ``t``, farthest first."""
        sprites = self.scene.sprites
        there = [n for n in range(1, len(sprites) + 1) if self.present(n, t)]
        return sorted(there, key=lambda n: (sprites[n - 1].depth.at(t), n))

    def geometry(self, t: int) -> Geometry:
        """What every pixel of frame ``t`` shows."""
        height, width = self.scene.size
        rows = np.arange(height)[:, None] * ONE
        columns = np.arange(width)[None] * ONE
        return self._look(t, columns, rows, whole=True)

    def forward(self, t: int, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
        """Where material points are at frame ``t``: x, y in 1/65536 px of the frame."""
        poses = self.poses(t)
        table = np.array([(*pose.matrix(), pose.x, pose.y) for pose in poses])
        pivots = np.array(self._pivots)
        used = np.unique(geometry.piece)
        x, y = np.empty_like(geometry.x), np.empty_like(geometry.y)
        for number in used:
            here = geometry.piece == number
            xx, xy, yx, yy, at_x, at_y = table[number].tolist()
            dx = geometry.x[here] - pivots[number, 0]
            dy = geometry.y[here] - pivots[number, 1]
            x[here] = at_x + (xx * dx + xy * dy + _HALF >> MATRIX_BITS)
            y[here] = at_y + (yx * dx + yy * dy + _HALF >> MATRIX_BITS)
        return x, y

    def image(self, t: int, geometry: Geometry) -> np.ndarray:
        """Frame ``t``: ``(H, W, 3)`` uint8 RGB, borders of pieces smoothed 2 x 2."""
        colors = self._colors(geometry)
        row, column = np.nonzero(_borders(geometry.piece))
        if len(row):
            total = np.zeros((len(row), 3), np.int64)
            for dy in (-1, 1):
                for dx in (-1, 1):
                    x, y = column * ONE + dx * ONE // 4, row * ONE + dy * ONE // 4
                    total += self._colors(self._look(t, x, y, whole=False))
            colors[row, column] = (total + 2) // 4
        return self._lit(t, colors)

    def _look(
        self, t: int, columns: np.ndarray, rows: np.ndarray, whole: bool
    ) -> Geometry:
        """Material points at places of frame ``t``, which broadcast to one shape.

        Args:
            t: frame number.
            columns: x in 1/65536 px, ``(1, W)`` or ``(n,)``.
            rows: y in 1/65536 px, ``(H, 1)`` or ``(n,)``.
            whole: the places are the whole frame in order.
        """
        poses = self.poses(t)
        x, y = self._texture_point(0, poses[0], columns, rows)
        piece = np.zeros(x.shape, np.int64)
        for number in self.painting_order(t):
            count = len(self.scene.sprites[number - 1].pieces)
            for k in range(self.first[number], self.first[number] + count):
                box = self._box(k, poses[k]) if whole else None
                if box is None and whole:
                    continue
                view = box or (slice(None), slice(None))
                near_rows = rows[view[0]] if whole else rows
                near_columns = columns[:, view[1]] if whole else columns
                u, v = self._texture_point(k, poses[k], near_columns, near_rows)
                inside = self._inside(k, u, v)
                target = view if whole else slice(None)
                np.copyto(piece[target], k, where=inside)
                np.copyto(x[target], u, where=inside)
                np.copyto(y[target], v, where=inside)
        return Geometry(piece, x, y)

    def _texture_point(
        self, k: int, pose: Pose, columns: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Texture x, y of piece ``k`` in 1/65536 px at places of the frame."""
        xx, xy, yx, yy = pose.inverse()
        pivot_x, pivot_y = self._pivots[k]
        ground_x = (pivot_x << MATRIX_BITS) - xx * pose.x - xy * pose.y + _HALF
        ground_y = (pivot_y << MATRIX_BITS) - yx * pose.x - yy * pose.y + _HALF
        u = (xx * columns + ground_x) + xy * rows
        v = yx * columns + (yy * rows + ground_y)
        u >>= MATRIX_BITS
        v >>= MATRIX_BITS
        return u, v

    def _inside(self, k: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        bitmap = self._bitmaps[k]
        height, width = bitmap.shape  # the margin is outside, so clipping is safe
        column = np.clip(u // _CELL, 0, width - 1)
        row = np.clip(v // _CELL, 0, height - 1)
        return bitmap.ravel()[row * width + column]

    def _box(self, k: int, pose: Pose) -> tuple[slice, slice] | None:
        """Rows and columns of the frame that piece ``k`` may cover."""
        height, width = (side * _CELL for side in self._bitmaps[k].shape)
        px, py = self._pivots[k]
        corners = [pose.apply(x - px, y - py) for x in (0, width) for y in (0, height)]
        ranges = []
        for axis, limit in ((1, self.scene.size[0]), (0, self.scene.size[1])):
            places = [corner[axis] // ONE for corner in corners]
            low, high = max(0, min(places)), min(limit, max(places) + 2)
            if low >= high:
                return None
            ranges.append(slice(low, high))
        return ranges[0], ranges[1]

    def _colors(self, geometry: Geometry) -> np.ndarray:
        """Colours of material points before the light, uint8."""
        start, stride = self._starts[geometry.piece], self._widths[geometry.piece]
        return sample(self._texels, start, stride, geometry.x, geometry.y)

    def _lit(self, t: int, colors: np.ndarray) -> np.ndarray:
        """Colours times the light of frame ``t``."""
        light = self.scene.light
        level, slope = light.level.at(t), light.slope.at(t)
        warmth = light.warmth.at(t)
        if (level, slope, warmth) == (256, 0, 0):
            return colors
        width = colors.shape[1]
        across = level + slope * (2 * np.arange(width) - width) // (2 * width)
        tint = np.array([warmth, 0, -warmth])
        factor = (across[:, None] + tint).astype(np.int32)  # (W, 3)
        return np.clip(colors * factor >> 8, 0, 255).astype(np.uint8)


def _borders(piece: np.ndarray) -> np.ndarray:
    """``(H, W)`` bool: a pixel beside, above or below shows another piece."""
    border = np.zeros(piece.shape, bool)
    across, down = piece[:, 1:] != piece[:, :-1], piece[1:] != piece[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    return border


def _darken_rim(image: np.ndarray, inside: np.ndarray, unit: int) -> np.ndarray:
    """Darken texels near the outline, so that shapes stand out."""
    core = inside[CELLS // 2 :: CELLS, CELLS // 2 :: CELLS]
    for _ in range(_RIM if unit >= 12 else 1):
        shrunk = core.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                shrunk &= np.roll(core, step, axis)
        core = shrunk
    shaded = image.astype(np.int64) * _RIM_SHADE >> 8
    return np.where(core[..., None], image, shaded).astype(np.uint8)
