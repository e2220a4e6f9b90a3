"""Points drawn over images."""

from __future__ import annotations

import cv2
import numpy as np

from densecorr.utils.images import davis_palette

_SHARE = 90  # the shorter side of the image is so many radii
_SMALLEST = 2.0  # radius in pixels
_RIM, _EDGE = 1.5, 1.8  # radius of the rim, and of its dark edge, in those of the disc
_BITS = 4  # of a pixel that OpenCV draws with
_USED = 254  # colours of the palette that are used in turn, from the second on
_TEXT = 0.13  # size of the numbers for each pixel of the radius
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def draw_points(
    image: np.ndarray, points: np.ndarray, ids: np.ndarray, confidence: np.ndarray
) -> np.ndarray:
    """Draw each point as a disc in the DAVIS colour of its id, with the id beside it.

    Args:
        image: ``(H, W, 3)`` uint8 RGB, left as it is.
        points: ``(k, 2)`` (x, y) in pixels, the centre of the first pixel is (0, 0);
            those that are NaN are not drawn.
        ids: ``(k,)`` integers.
        confidence: ``(k,)`` in [0, 1]; the lower, the greyer the rim.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    drawn = np.ascontiguousarray(image).copy()
    palette, scale = davis_palette(), 1 << _BITS
    radius = max(_SMALLEST, min(image.shape[:2]) / _SHARE)
    for point, number, sure in zip(points, ids, confidence, strict=True):
        if not np.isfinite(point).all():
            continue
        color = palette[1 + (int(number) - 1) % _USED].tolist()
        centre = tuple(round(value * scale) for value in point.tolist())
        rim = (round(255 * sure),) * 3
        for share, shade in ((_EDGE, _BLACK), (_RIM, rim), (1.0, color)):
            size = round(share * radius * scale)
            cv2.circle(drawn, centre, size, shade, -1, cv2.LINE_AA, _BITS)
        _write(drawn, str(number), point + 2 * radius, radius)
    return drawn


def _write(image: np.ndarray, text: str, place: np.ndarray, radius: float) -> None:
    """White text with a dark edge, in place; its lower left corner is at ``place``.

    The edge is text beside the text: OpenCV 5 ignores the width of its lines.
    """
    x, y = round(place[0]), round(place[1])
    edge = max(1, round(radius / 5))
    beside = [(dx, dy) for dx in (-edge, 0, edge) for dy in (-edge, 0, edge)]
    for (dx, dy), shade in [*((d, _BLACK) for d in beside), ((0, 0), _WHITE)]:
        corner, font = (x + dx, y + dy), cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(image, text, corner, font, _TEXT * radius, shade, 1, cv2.LINE_AA)
