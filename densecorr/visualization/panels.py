"""Pictures side by side under their names, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from densecorr.utils.images import resize_nearest
from densecorr.utils.segment_colors import segment_palette

_GAP = 4  # pixels between pictures
_STRIP = 16  # pixels above a picture, for its name
_FONT, _SCALE, _BASE = cv2.FONT_HERSHEY_SIMPLEX, 0.4, 12
_INK = (40, 40, 40)
_PAPER = 255
_NOTHING = 225  # grey of a picture that is not there


class Panel(NamedTuple):
    """One of several pictures.

    Attributes:
        name: that stands above it.
        image: ``(H, W, 3)`` uint8 RGB, a photograph, or ``(H, W)`` labels of
            :func:`densecorr.utils.segment_colors.segment_palette`; None: nothing.
    """

    name: str
    image: np.ndarray | None


def join_panels(
    panels: Sequence[Panel], size: tuple[int, int], columns: int = 3
) -> np.ndarray:
    """One picture of several, row by row, each under its name.

    Args:
        panels: from left to right.
        size: (height, width) of every panel.
        columns: panels of a row.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ValueError: there is no panel.
    """
    if not panels:
        raise ValueError('there is no picture to join. Give at least one.')
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    height, width = size
    shape = (rows * (height + _STRIP), columns * (width + _GAP) - _GAP, 3)
    joined = np.full(shape, _PAPER, np.uint8)
    for place, panel in enumerate(panels):
        top = place // columns * (height + _STRIP) + _STRIP
        left = place % columns * (width + _GAP)
        joined[top : top + height, left : left + width] = _fitted(panel.image, size)
        strip = np.full((_STRIP, width, 3), _PAPER, np.uint8)
        cv2.putText(strip, panel.name, (0, _BASE), _FONT, _SCALE, _INK, 1, cv2.LINE_AA)
        joined[top - _STRIP : top, left : left + width] = strip
    return joined


def panel_size(size: tuple[int, int], width: int) -> tuple[int, int]:
    """(height, width) of a panel that shows pictures of ``size`` (H, W)."""
    return max(1, round(size[0] * width / size[1])), width


def _fitted(image: np.ndarray | None, size: tuple[int, int]) -> np.ndarray | int:
    """A panel's pixels: photographs are averaged, labels are not."""
    if image is None:
        return _NOTHING
    if image.ndim == 2:
        return segment_palette()[resize_nearest(image, size)]
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)
