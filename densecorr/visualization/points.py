"""Points drawn over images."""

from __future__ import annotations

import cv2
import numpy as np

from densecorr.utils.images import davis_palette

_SHARE = 90  # the shorter side of the image is so many radii
_SMALLEST = 2.0  # radius in pixels
_RIM = 1.5  # radius of the rim in radii of the disc
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
        for size, shade in ((_RIM * radius, rim), (radius, color)):
            cv2.circle(
                drawn, centre, round(size * scale), shade, -1, cv2.LINE_AA, _BITS
            )
        _write(drawn, str(number), point + 2 * radius, radius)
    return drawn


def _write(image: np.ndarray, text: str, place: np.ndarray, radius: float) -> None:
    """White text with a dark edge, in place; its lower left corner is at ``place``."""
    corner = (round(place[0]), round(place[1]))
    thin = max(1, round(radius / 4))
    for width, shade in ((3 * thin, _BLACK), (thin, _WHITE)):
        cv2.putText(
            image,
            text,
            corner,
            cv2.FONT_HERSHEY_SIMPLEX,
            _TEXT * radius,
            shade,
            width,
            cv2.LINE_AA,
        )
