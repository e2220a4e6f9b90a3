"""Binary planes as one Python integer each, a bit per pixel.

A shift moves the whole plane, so set operations, dilation and counting handle sixty
pixels per machine step and are exact. Rows lie ``stride`` bits apart; the padding
between the end of a row and the start of the next takes what shifts push out of a row,
and is cut away when the plane meets another one that has nothing there.
"""

from __future__ import annotations

import functools
import math

import numpy as np


@functools.cache
def disk_widths(radius: int) -> tuple[int, ...]:
    """Half width of the row at distance 0, 1, ... ``radius`` from a disk's centre.

    The disk is ``{dx^2 + dy^2 <= radius^2}``, so the radius is inclusive.
    """
    if radius < 0:
        raise ValueError(f'radius of a disk should be at least 0 pixels, not {radius}.')
    return tuple(math.isqrt(radius**2 - dy**2) for dy in range(radius + 1))


def pack(plane: np.ndarray, stride: int) -> int:
    """Pack an ``(H, W)`` plane of bool or 0/1 into an integer, ``stride >= W``."""
    height, width = plane.shape
    if stride < width:
        raise ValueError(f'stride {stride} is below the width {width} of the plane.')
    padded = np.zeros((height, stride), np.uint8)
    padded[:, :width] = plane
    packed = np.packbits(padded.reshape(-1), bitorder='little')
    return int.from_bytes(packed.tobytes(), 'little')


def unpack(bits: int, shape: tuple[int, int], stride: int) -> np.ndarray:
    """Bool plane of ``shape`` (H, W); bits in the padding or below are cut away."""
    height, width = shape
    bits &= (1 << height * stride) - 1
    packed = bits.to_bytes((height * stride + 7) // 8, 'little')
    flat = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder='little')
    return flat[: height * stride].reshape(height, stride)[:, :width].astype(bool)


def dilate_disk(bits: int, stride: int, radius: int) -> int:
    """Dilate a plane by the disk of an inclusive ``radius`` in pixels.

    The padding must be at least ``radius`` wide. Bits of the result outside the plane
    are meaningless.
    """
    run, half_width, grown = bits, 0, 0
    for dy, width in reversed(tuple(enumerate(disk_widths(radius)))):
        while half_width < width:  # rows get wider towards the centre
            half_width += 1
            run |= bits << half_width | bits >> half_width
        grown |= run << dy * stride | run >> dy * stride
    return grown
