"""Sprites: rigid shapes, and bodies of rigid pieces that hang on joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .fixed import ONE
from .motion import STILL, Path, Pose, Wave
from .shapes import OUTLINES, scaled
from .texture import Dye

# Names of the 20 categories, numbered from 1 as in label maps of categories.
CATEGORIES = ('walker', 'dancer', *OUTLINES)
PARTS = ('head', 'torso', 'arms', 'legs', 'feet')  # numbered from 1
JOINTS = (  # the order of JHMDB
    'neck', 'belly', 'face', 'right shoulder', 'left shoulder', 'right hip',
    'left hip', 'right elbow', 'left elbow', 'right knee', 'left knee',
    'right wrist', 'left wrist', 'right ankle', 'left ankle',
)  # fmt: skip
_HEIGHT = 1000  # a body measures about this from head to feet


@dataclass(frozen=True)
class Piece:
    """One rigid piece of a sprite.

    Attributes:
        vertices: outline ``(n, 2)`` int64 ``(x, y)`` about the pivot, 1/65536 px.
        part: part number, 0 for a sprite of one piece.
        dye: of its texture.
    """

    vertices: np.ndarray
    part: int
    dye: Dye


@dataclass(frozen=True)
class Hinge:
    """Where a piece hangs.

    Attributes:
        parent: number of the piece that it hangs on; None for the root.
        x: of the pivot on the parent, in 1/65536 px about the parent's pivot.
        y: likewise.
        angle: against the parent, in 1/65536 turn.
    """

    parent: int | None = None
    x: int = 0
    y: int = 0
    angle: Wave = STILL


_ROOT = (Hinge(),)


@dataclass(frozen=True)
class Joint:
    """A named point of a body.

    Attributes:
        piece: number of the piece that carries it.
        x: about the pivot of the piece in 1/65536 px.
        y: likewise.
        touching: numbers of the pieces that meet there; the joint is visible where one
            of them is on top.
    """

    piece: int
    x: int
    y: int
    touching: tuple[int, ...]


@dataclass(frozen=True)
class Sprite:
    """One object: its pieces, how they hang together, and how it moves.

    Attributes:
        category: a name of ``CATEGORIES``.
        pieces: from back to front.
        hinges: one per piece.
        path: of the root.
        depth: where the object is in painter's order; larger is nearer.
        joints: 15 of an articulated body in the order of ``JOINTS``, else none.
        unit: coarsest scale of its texture in pixels.
        first: first frame in which it is there.
        last: last frame in which it is there.
        order: numbers of the pieces, every one after the piece that it hangs on.
    """

    category: str
    pieces: tuple[Piece, ...]
    path: Path
    hinges: tuple[Hinge, ...] = _ROOT
    depth: Wave = STILL
    joints: tuple[Joint, ...] = ()
    unit: int = 32
    first: int = 0
    last: int = 0
    order: tuple[int, ...] = (0,)

    def poses(self, t: int) -> list[Pose]:
        """Pose of every piece at frame ``t``; parents come first in ``order``."""
        root = self.path.at(t)
        poses: list[Pose] = [root] * len(self.pieces)
        for number in self.order:
            hinge = self.hinges[number]
            if hinge.parent is None:
                base, turn = root, hinge.angle.at(t)
                poses[number] = Pose(base.x, base.y, base.angle + turn, base.scale)
                continue
            base = poses[hinge.parent]
            x, y = base.apply(hinge.x, hinge.y)
            poses[number] = Pose(x, y, base.angle + hinge.angle.at(t), base.scale)
        return poses


def rigid(category: str, radius: int, dye: Dye, **facts: Any) -> Sprite:
    """A sprite of one piece.

    Args:
        category: a key of ``OUTLINES``.
        radius: in 1/65536 px.
        dye: of its texture.
        facts: further fields of :class:`Sprite`.
    """
    piece = Piece(scaled(OUTLINES[category], radius), 0, dye)
    unit = max(4, radius // ONE)
    return Sprite(category, (piece,), unit=unit, **facts)
