"""Measures and random numbers that the presets are built with."""

from __future__ import annotations

from dataclasses import dataclass

from .fixed import ONE, TURN, Draws, fraction
from .motion import Wave
from .palettes import Colors

_MIN_RADIUS = 4 * ONE


@dataclass(frozen=True)
class World:
    """What the builders of presets share.

    Attributes:
        height: of the frame in pixels.
        width: of the frame in pixels.
        num_frames: of the clip.
        draws: random numbers of the motion.
        colors: of backgrounds and objects.
    """

    height: int
    width: int
    num_frames: int
    draws: Draws
    colors: Colors

    @property
    def unit(self) -> int:
        """Length in pixels that sizes of objects are measured by."""
        return min(self.height, self.width * 5 // 9)

    def radius(self, permille: int) -> int:
        """Radius of an object, some thousandths of the unit, in 1/65536 px."""
        return max(_MIN_RADIUS, fraction(self.unit, permille))

    def about(self, permille: int, spread: int = 100) -> int:
        """A number near ``permille``, up to ``spread`` thousandths off."""
        off = permille * spread // 1000
        return self.draws.integer(permille - off, permille + off)

    def wide(self, centre: int, amplitude: int, rate: int, phase: int) -> Wave:
        """Swing along x.

        Args:
            centre: in thousandths of the width.
            amplitude: in thousandths of the width, of 9/5 units in a wide frame.
            rate: angle per frame.
            phase: angle at frame 0.
        """
        swing = fraction(self.unit * 9, amplitude) // 5
        return Wave(fraction(self.width, centre), swing, rate, phase)

    def tall(self, centre: int, amplitude: int, rate: int, phase: int) -> Wave:
        """Swing along y: centre in thousandths of the height, amplitude of the unit."""
        swing = fraction(self.unit, amplitude)
        return Wave(fraction(self.height, centre), swing, rate, phase)

    def scale(self, swing: int, period: int, phase: int | None = None) -> Wave:
        """Scale about 1 that swings by ``swing`` thousandths."""
        at = self.draws.integer(0, TURN - 1) if phase is None else phase
        return Wave(ONE, ONE * swing // 1000, turn_in(period), at)

    def sway(self, degrees: int, period: int) -> Wave:
        """Angle that swings by some degrees."""
        phase = self.draws.integer(0, TURN - 1)
        return Wave(0, TURN * degrees // 360, turn_in(period), phase)

    def spin(self, degrees: int) -> Wave:
        """Angle that grows by some degrees per frame, in either direction."""
        slope = TURN * degrees // 360 * self.draws.sign()
        return Wave(self.draws.integer(-TURN // 12, TURN // 12), slope=slope)


def turn_in(period: int) -> int:
    """Angle per frame of a swing of ``period`` tenths of a frame."""
    return TURN * 10 // period
