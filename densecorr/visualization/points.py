"""Points drawn over images."""

from __future__ import annotations

import cv2
import numpy as np

from densecorr.utils.images import davis_palette

_SHARE = 90  # the shorter side of the image is so many radii
_SMALLEST = 2.0  # radius in pixels
_BITS = 4  # of a pixel that OpenCV draws with
_USED = 254  # colours of the palette that are used in turn, from the second on


def draw_points(
    image: np.ndarray, points: np.ndarray, ids: np.ndarray, confidence: np.ndarray
) -> np.ndarray:
    """Draw each point as a disc with a dark rim, in the DAVIS colour of its id.

    Args:
        image: ``(H, W, 3)`` uint8 RGB, left as it is.
        points: ``(k, 2)`` (x, y) in pixels, the centre of the first pixel is (0, 0);
            those that are NaN are not drawn.
        ids: ``(k,)`` integers.
        confidence: ``(k,)`` in [0, 1]; the lower, the darker the disc.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    drawn = np.ascontiguousarray(image).copy()
    palette, scale = davis_palette().astype(float), 1 << _BITS
    radius = max(_SMALLEST, min(image.shape[:2]) / _SHARE)
    for point, number, sure in zip(points, ids, confidence, strict=True):
        if not np.isfinite(point).all():
            continue
        centre = tuple(round(value * scale) for value in point.tolist())
        color = palette[1 + (int(number) - 1) % _USED] * (1 + sure) / 2
        for size, shade in ((1.5 * radius, (0.0, 0.0, 0.0)), (radius, color.tolist())):
            cv2.circle(
                drawn,
                centre,
                round(size * scale),
                shade,
                thickness=-1,
                lineType=cv2.LINE_AA,
                shift=_BITS,
            )
    return drawn
