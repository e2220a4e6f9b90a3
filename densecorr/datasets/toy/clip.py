"""A generated clip: frames with everything that is true about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fixed import ONE
from .render import Geometry, Renderer, Scene
from .sprites import CATEGORIES

_KEPT = 2  # frames whose geometry is kept: flow needs two
_UNIT = ONE // 256  # flow, points and joints are in 1/256 px
ABSENT, HIDDEN, VISIBLE = range(3)  # of a joint


@dataclass(frozen=True)
class ObjectInfo:
    """One object of a clip.

    Attributes:
        number: in label maps, from 1; objects that come late have the highest.
        category: name.
        category_id: 1..20.
        articulated: has parts and joints.
        first_frame: first frame in which it is in the scene.
        last_frame: last frame in which it is in the scene. Others may hide it between.
    """

    number: int
    category: str
    category_id: int
    articulated: bool
    first_frame: int
    last_frame: int


class Clip:
    """A clip whose frames are drawn when asked for; memory is that of two frames.

    All but the colours is geometry in integers; every method returns an array of its
    own. Frame numbers outside ``0 .. num_frames - 1`` are an IndexError.

    Args:
        name: unique in its dataset.
        scene: what is drawn.
        num_frames: length.

    Attributes:
        size: ``(H, W)`` in pixels.
        objects: in the order of their numbers.
    """

    def __init__(self, name: str, scene: Scene, num_frames: int) -> None:
        self.name, self.size, self.num_frames = name, scene.size, num_frames
        self._scene = scene
        self._drawn: Renderer | None = None
        self._kept: dict[int, Geometry] = {}
        self._image: tuple[int, np.ndarray] | None = None
        self.objects = tuple(
            ObjectInfo(
                number=number,
                category=sprite.category,
                category_id=CATEGORIES.index(sprite.category) + 1,
                articulated=bool(sprite.joints),
                first_frame=sprite.first,
                last_frame=sprite.last,
            )
            for number, sprite in enumerate(scene.sprites, 1)
        )

    def frame(self, t: int) -> np.ndarray:
        """Frame ``t``, ``(H, W, 3)`` uint8 RGB."""
        self._check(t)
        held = self._image
        if held is None or held[0] != t:
            held = (t, self._renderer.image(t, self._geometry(t)))
            self._image = held
        return held[1].copy()

    def label_map(self, t: int) -> np.ndarray:
        """Object numbers of frame ``t``, ``(H, W)`` uint8, 0 = background."""
        return self._renderer.objects.astype(np.uint8)[self._geometry(t).piece]

    def category_map(self, t: int) -> np.ndarray:
        """Category numbers of frame ``t``, ``(H, W)`` uint8, 0 = background."""
        ids = np.array([0, *(info.category_id for info in self.objects)], np.uint8)
        return ids[self.label_map(t)]

    def parts(self, t: int) -> np.ndarray:
        """Part numbers of frame ``t``, ``(H, W)`` uint8.

        1..5 are head, torso, arms, legs and feet of articulated objects, 0 all else.
        """
        return self._renderer.parts.astype(np.uint8)[self._geometry(t).piece]

    def points(self, t: int) -> np.ndarray:
        """Material point that each pixel of frame ``t`` shows, ``(H, W, 3)`` int32.

        Object number, then row and column on the texture of that object in 1/256
        texture pixels, not negative. A texture pixel is a frame pixel at scale 1.
        """
        geometry, renderer = self._geometry(t), self._renderer
        column = geometry.x + renderer.shift[geometry.piece]
        both = np.stack([geometry.y, column], axis=-1) // _UNIT
        number = renderer.objects[geometry.piece]
        return np.concatenate([number[..., None], both], axis=-1).astype(np.int32)

    def flow(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Motion of the points of frame ``t`` to frame ``t + 1``.

        The rigid map of each piece takes the point that a pixel centre shows to its
        place in frame ``t + 1``, rounded to 1/256 px.

        Returns:
            ``(H, W, 2)`` int32 ``(dx, dy)`` in 1/256 px, and ``(H, W)`` bool: the
            pixel nearest to that place is in the frame and shows the same piece of
            the same object. Points of an object that has gone keep its path.
        """
        self._check(t)
        if t + 1 >= self.num_frames:
            raise IndexError(
                f'clip {self.name!r} has no flow from frame {t}: frame {t + 1} would '
                f'be needed. Choose from 0 to {self.num_frames - 2}.'
            )
        here, there = self._geometry(t), self._geometry(t + 1)
        place = np.stack(self._renderer.forward(t + 1, here), axis=-1)
        place = (place + _UNIT // 2) // _UNIT  # (H, W, 2) x, y in 1/256 px
        height, width = self.size
        rows, columns = np.arange(height)[:, None], np.arange(width)[None]
        start = 256 * np.stack(np.broadcast_arrays(columns, rows), axis=-1)
        column, row = np.moveaxis((place + 128) // 256, -1, 0)
        valid = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        shown = there.piece[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)]
        return (place - start).astype(np.int32), valid & (shown == here.piece)

    def joints(self, t: int) -> dict[int, np.ndarray]:
        """Joints of the articulated objects at frame ``t``.

        Returns:
            object number to ``(15, 3)`` int32: x and y in 1/256 px (pixel centres at
            whole pixels) in JHMDB's order, and visibility: 0 outside the frame or the
            object is not there (yet, or any more), 1 hidden by another object or
            another piece, 2 visible.
        """
        geometry, renderer = self._geometry(t), self._renderer
        poses = renderer.poses(t)
        result = {}
        for info in self.objects:
            if not info.articulated:
                continue
            first = renderer.first[info.number]
            sprite = self._scene.sprites[info.number - 1]
            rows = np.zeros((len(sprite.joints), 3), np.int32)
            for k, joint in enumerate(sprite.joints):
                x, y = poses[first + joint.piece].apply(joint.x, joint.y)
                state = ABSENT
                column, row = (x + ONE // 2) // ONE, (y + ONE // 2) // ONE
                inside = 0 <= row < self.size[0] and 0 <= column < self.size[1]
                if inside and renderer.present(info.number, t):
                    shown = geometry.piece[row, column] - first
                    state = VISIBLE if shown in joint.touching else HIDDEN
                rows[k] = (x + _UNIT // 2) // _UNIT, (y + _UNIT // 2) // _UNIT, state
            result[info.number] = rows
        return result

    @property
    def _renderer(self) -> Renderer:
        if self._drawn is None:
            self._drawn = Renderer(self._scene)
        return self._drawn

    def _geometry(self, t: int) -> Geometry:
        self._check(t)
        found = self._kept.get(t)
        if found is None:
            found = self._renderer.geometry(t)
            kept = dict(list(self._kept.items())[1 - _KEPT :])
            self._kept = {**kept, t: found}
        return found

    def _check(self, t: int) -> None:
        if not 0 <= t < self.num_frames:
            raise IndexError(
                f'clip {self.name!r} has no frame {t}. Choose from 0 to '
                f'{self.num_frames - 1}.'
            )
