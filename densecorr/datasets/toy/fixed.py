"""Integer arithmetic of the generated videos: hash, draws, sine and cosine.

Nothing here uses floating point, so results are the same bits on every platform and
with every version of numpy. Units: lengths in 1/65536 px (``ONE`` is a pixel), angles
in 1/65536 turn (``TURN`` is a full circle), factors in 1/65536 unless stated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

ONE = 1 << 16  # one pixel, or the factor 1
TURN = 1 << 16  # a full circle
TRIG_BITS = 30  # sines are integers in -2^30 .. 2^30

_WORD = (1 << 64) - 1
# splitmix64 (Steele, Lea & Flood, OOPSLA 2014)
_GOLDEN = 0x9E3779B97F4A7C15
_MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_LAST_SHIFT = 31

_TWO_PI = 0x6487ED5110B4611A  # 2 pi * 2^60
_SERIES_BITS = 60
_SERIES_TERMS = 12  # (pi / 2)^25 / 25! < 2^-60

T = TypeVar('T')


def hash_keys(*keys: int | str) -> int:
    """A 64-bit number for a sequence of keys; equal keys give equal numbers."""
    state = 0
    for key in keys:
        if isinstance(key, str):
            key = int.from_bytes(key.encode(), 'little')
        while True:  # words of a long key
            state = _mix((state + _GOLDEN + (key & _WORD)) & _WORD)
            key >>= 64
            if key in (0, -1):
                break
    return state


def hash_counters(key: int, shape: tuple[int, ...]) -> np.ndarray:
    """Array of 64-bit numbers, the hash of ``key`` and of each position.

    Args:
        key: as :func:`hash_keys` returns it.
        shape: of the result.

    Returns:
        uint64 array.
    """
    count = int(np.prod(shape, dtype=np.int64))
    state = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    state ^= np.uint64(key & _WORD)
    for shift, factor in _MIX:
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    return (state ^ (state >> np.uint64(_LAST_SHIFT))).reshape(shape)


class Draws:
    """A stream of random numbers that depends on its keys only.

    Args:
        keys: integers and names, for example the seed and what is drawn.
    """

    def __init__(self, *keys: int | str) -> None:
        self.key, self.count = hash_keys(*keys), 0

    def integer(self, low: int, high: int) -> int:
        """A number in ``low .. high``, both included."""
        self.count += 1
        return low + hash_keys(self.key, self.count) % (high - low + 1)

    def choice(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.integer(0, len(values) - 1)]

    def sample(self, values: Sequence[T], count: int) -> list[T]:
        """``count`` different ones of the values, in random order."""
        left = list(values)
        return [left.pop(self.integer(0, len(left) - 1)) for _ in range(count)]

    def sign(self) -> int:
        """-1 or 1."""
        return self.choice((-1, 1))


@lru_cache(maxsize=4096)
def sine(angle: int) -> int:
    """Sine of an angle.

    Args:
        angle: in 1/65536 turn, any integer.

    Returns:
        ``round(2^30 sin(2 pi angle / 65536))``.
    """
    angle %= TURN
    if angle >= TURN // 2:
        return -sine(angle - TURN // 2)
    if angle > TURN // 4:
        angle = TURN // 2 - angle
    x = angle * _TWO_PI // TURN  # 0 .. pi / 2
    square = x * x >> _SERIES_BITS
    total = term = x
    for k in range(1, _SERIES_TERMS):
        term = -(term * square >> _SERIES_BITS) // ((2 * k) * (2 * k + 1))
        total += term
    half = 1 << _SERIES_BITS - TRIG_BITS - 1
    return (total + half) >> _SERIES_BITS - TRIG_BITS


def cosine(angle: int) -> int:
    """Cosine of an angle, see :func:`sine`."""
    return sine(angle + TURN // 4)


def fraction(length: int, permille: int) -> int:
    """``permille`` thousandths of ``length`` pixels, in 1/65536 px."""
    return length * permille * ONE // 1000


def _mix(state: int) -> int:
    for shift, factor in _MIX:
        state = (state ^ state >> shift) * factor & _WORD
    return state ^ state >> _LAST_SHIFT
