"""Joints drawn over images, joined to a skeleton."""

from __future__ import annotations

import cv2
import numpy as np

# Pairs of JHMDB's joints, by their place in its order: neck, belly, face, right and
# left shoulder, hip, elbow, knee, wrist, ankle.
JHMDB_BONES = (
    (2, 0), (0, 1),
    (0, 3), (3, 7), (7, 11),
    (0, 4), (4, 8), (8, 12),
    (1, 5), (5, 9), (9, 13),
    (1, 6), (6, 10), (10, 14),
)  # fmt: skip
_NUM_JHMDB_JOINTS = 15
PREDICTION = (0xE6, 0x9F, 0x00)  # Okabe and Ito's orange
_DARK = (0x14, 0x14, 0x14)
_SHARE = 80  # the shorter side of the image is so many radii
_SMALLEST = 2.5  # radius in pixels
_RIM = 1.5  # radius of the dark edge, in those of the disc
_BONE, _EDGE = 0.35, 0.6  # half widths of a bone and of its dark edge, likewise
_BITS = 4  # of a pixel that OpenCV draws with


def bones_of(num_joints: int) -> tuple[tuple[int, int], ...]:
    """Pairs of joints that a line joins; none where the skeleton is not known."""
    return JHMDB_BONES if num_joints == _NUM_JHMDB_JOINTS else ()


def draw_joints(image: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Draw joints as discs, and the bones between those that are not lost.

    Args:
        image: ``(H, W, 3)`` uint8 RGB, left as it is.
        joints: ``(j, 2)`` (x, y) in pixels, the centre of the first pixel is (0, 0);
            those that are NaN are not drawn, nor are their bones.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ValueError: the joints are not ``(j, 2)``.
    """
    if joints.ndim != 2 or joints.shape[1] != 2:
        raise ValueError(f'joints should be (j, 2), x and y, not {joints.shape}.')
    drawn = np.ascontiguousarray(image).copy()
    radius = max(_SMALLEST, min(image.shape[:2]) / _SHARE)
    known = np.isfinite(joints).all(1)
    bones = [pair for pair in bones_of(len(joints)) if known[list(pair)].all()]
    for width, color in ((_EDGE, _DARK), (_BONE, PREDICTION)):
        for start, end in bones:
            _draw_bar(drawn, joints[start], joints[end], width * radius, color)
    for size, color in ((_RIM * radius, _DARK), (radius, PREDICTION)):
        for point in joints[known]:
            cv2.circle(drawn, *_fixed(point, size), color, -1, cv2.LINE_AA, _BITS)
    return drawn


def _draw_bar(
    image: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    half_width: float,
    color: tuple[int, int, int],
) -> None:
    """A filled bar, in place; widths of lines are whole pixels in OpenCV."""
    along = end - start
    length = float(np.hypot(*along))
    if not length:
        return
    aside = half_width / length * np.array([-along[1], along[0]])
    corners = np.stack([start + aside, end + aside, end - aside, start - aside])
    points = np.rint(corners * (1 << _BITS)).astype(np.int32)
    cv2.fillConvexPoly(image, points, color, cv2.LINE_AA, _BITS)


def _fixed(point: np.ndarray, radius: float) -> tuple[tuple[int, int], int]:
    """Centre and radius in parts of a pixel, as OpenCV takes them."""
    x, y = (round(float(value) * (1 << _BITS)) for value in point)
    return (x, y), round(radius * (1 << _BITS))
