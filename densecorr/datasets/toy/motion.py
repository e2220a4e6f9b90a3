"""How things move: waves, so that a clip of any length stays in its frame."""

from __future__ import annotations

from dataclasses import dataclass

from .fixed import ONE, TRIG_BITS, cosine, sine

MATRIX_BITS = 24  # entries of the maps between frame and texture are in 1/2^24
_GONE = 4  # frames outside after which a sprite goes no farther
_FAR = 64  # frames from a passage after which its distance is below 1/65536 px


@dataclass(frozen=True)
class Wave:
    """A number that swings: ``centre + amplitude sin(phase + rate t) + slope t``.

    Attributes:
        centre: in the unit of the number.
        amplitude: in the unit of the number.
        rate: angle per frame in 1/65536 turn.
        phase: angle at frame 0 in 1/65536 turn.
        slope: change per frame, for angles that turn on and on.
    """

    centre: int
    amplitude: int = 0
    rate: int = 0
    phase: int = 0
    slope: int = 0

    def at(self, t: int) -> int:
        """Value at frame ``t``."""
        swing = self.amplitude * sine(self.phase + self.rate * t) >> TRIG_BITS
        return self.centre + swing + self.slope * t


STILL, SAME_SIZE = Wave(0), Wave(ONE)


@dataclass(frozen=True)
class Passage:
    """Coming into the frame, or leaving it, along x.

    The distance from the path is ``distance (3/4)^k``, where ``k`` counts frames since
    the first frame, or until the last one; it is negative while the sprite is not
    there.

    Attributes:
        distance: in 1/65536 px, at the first or last frame.
        frame: the first or last frame in which the sprite is there.
        leaves: ``frame`` is the last one.
    """

    distance: int
    frame: int
    leaves: bool = False

    def at(self, t: int) -> int:
        """Distance from the path at frame ``t``, in 1/65536 px."""
        k = self.frame - t if self.leaves else t - self.frame
        if k < 0:
            away = min(-k, _GONE)
            return self.distance * 4**away // 3**away
        return 0 if k > _FAR else self.distance * 3**k // 4**k


@dataclass(frozen=True)
class Pose:
    """Where a rigid piece is: texture to frame by scale, rotation, translation.

    Attributes:
        x: of the pivot in 1/65536 px; pixel centres are at whole pixels.
        y: of the pivot in 1/65536 px.
        angle: in 1/65536 turn, from x to y (clockwise on the screen).
        scale: frame pixels per texture pixel in 1/65536.
    """

    x: int
    y: int
    angle: int = 0
    scale: int = ONE

    def matrix(self) -> tuple[int, int, int, int]:
        """Texture to frame, ``(xx, xy, yx, yy)`` in 1/2^24."""
        drop = TRIG_BITS + 16 - MATRIX_BITS
        c, s = (self.scale * f(self.angle) >> drop for f in (cosine, sine))
        return c, -s, s, c

    def inverse(self) -> tuple[int, int, int, int]:
        """Frame to texture, ``(xx, xy, yx, yy)`` in 1/2^24."""
        lift = MATRIX_BITS + 16 - TRIG_BITS
        c, s = ((f(self.angle) << lift) // self.scale for f in (cosine, sine))
        return c, s, -s, c

    def apply(self, x: int, y: int) -> tuple[int, int]:
        """Frame position of a point about the pivot, all in 1/65536 px."""
        xx, xy, yx, yy = self.matrix()
        half = 1 << MATRIX_BITS - 1
        return (
            self.x + (xx * x + xy * y + half >> MATRIX_BITS),
            self.y + (yx * x + yy * y + half >> MATRIX_BITS),
        )


@dataclass(frozen=True)
class Path:
    """Pose of a sprite over time.

    Attributes:
        x: in 1/65536 px.
        y: in 1/65536 px.
        angle: in 1/65536 turn.
        scale: in 1/65536.
        passage: how it comes or leaves; None = always in the frame.
    """

    x: Wave
    y: Wave
    angle: Wave = STILL
    scale: Wave = SAME_SIZE
    passage: Passage | None = None

    def at(self, t: int) -> Pose:
        """Pose at frame ``t``."""
        aside = 0 if self.passage is None else self.passage.at(t)
        return Pose(
            self.x.at(t) + aside, self.y.at(t), self.angle.at(t), self.scale.at(t)
        )
