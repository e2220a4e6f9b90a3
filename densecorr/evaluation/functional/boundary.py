"""Boundary accuracy F of DAVIS: do two contours lie within a few pixels?"""

from __future__ import annotations

import math

import cv2
import numpy as np

from densecorr.evaluation.functional.bitplanes import (
    dilate_disk,
    disk_widths,
    pack,
    unpack,
)
from densecorr.evaluation.functional.region import prepare_regions

BOUND_TH = 0.008  # DAVIS: tolerance as a fraction of the image diagonal


def disk(radius: int) -> np.ndarray:
    """The disk ``{dx^2 + dy^2 <= radius^2}`` as a bool ``(2 radius + 1, ...)`` square.

    ``radius`` is inclusive, in pixels.
    """
    columns = np.abs(np.arange(-radius, radius + 1))
    widths = np.array(disk_widths(radius))[columns]
    return columns <= widths[:, None]


def boundary_tolerance(size: tuple[int, ...], bound_th: float = BOUND_TH) -> int:
    """Distance in pixels at which two boundary pixels still match, inclusive.

    Args:
        size: ``(H, W)`` of the image.
        bound_th: below 1 a fraction of the image diagonal, rounded up to whole pixels;
            from 1 on a number of pixels.
    """
    if not bound_th > 0 or (bound_th >= 1 and bound_th != int(bound_th)):
        raise ValueError(
            f'bound_th should be a fraction of the image diagonal in (0, 1) or a whole '
            f'number of pixels, not {bound_th}. DAVIS uses {BOUND_TH}.'
        )
    if bound_th >= 1:
        return int(bound_th)
    return math.ceil(bound_th * float(np.linalg.norm(size)))


def boundary_map(region: np.ndarray) -> np.ndarray:
    """Boundary of an ``(H, W)`` region as a bool map of the same size.

    A pixel is boundary where it differs from its right, lower or lower right
    neighbour; the image continues beyond its edges as it is there, so a region that
    fills the image has no boundary.
    """
    plane = np.ascontiguousarray(np.asarray(region) != 0).view(np.uint8)
    if plane.ndim != 2:
        raise ValueError(f'A region is an (H, W) array, not of shape {plane.shape}.')
    if not plane.size:
        return plane.astype(bool)
    # a window of 2x2 pixels from the pixel on is constant or holds a boundary
    window = np.ones((2, 2), np.uint8)
    edge = cv2.morphologyEx(
        plane,
        cv2.MORPH_GRADIENT,
        window,
        anchor=(0, 0),
        borderType=cv2.BORDER_REPLICATE,
    )
    return edge.view(bool)


def dilate_map(plane: np.ndarray, radius: int) -> np.ndarray:
    """Dilate a bool ``(H, W)`` map by :func:`disk`; nothing enters from outside."""
    height, width = plane.shape
    stride = width + radius
    grown = dilate_disk(pack(np.asarray(plane) != 0, stride), stride, radius)
    return unpack(grown, (height, width), stride)


def boundary_f(num_pred: int, num_target: int, hit_pred: int, hit_target: int) -> float:
    """F from counts: boundary pixels, and those within the tolerance of the other.

    ``P = hit_pred / num_pred``, ``R = hit_target / num_target``,
    ``F = 2 P R / (P + R)``; 1 where both boundaries are empty, 0 where one is.
    """
    if not num_pred or not num_target:
        return float(num_pred == num_target)
    precision, recall = hit_pred / num_pred, hit_target / num_target
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def boundary_accuracy(
    pred: np.ndarray,
    target: np.ndarray,
    void: np.ndarray | None = None,
    bound_th: float = BOUND_TH,
) -> float:
    """F of one frame, in [0, 1].

    Args:
        pred: ``(H, W)`` predicted region.
        target: ``(H, W)`` annotated region.
        void: ``(H, W)`` pixels to take out of both regions.
        bound_th: tolerance, see :func:`boundary_tolerance`.

    Raises:
        ValueError: shapes differ, or ``bound_th`` is out of range.

    Reference: Perazzi et al., CVPR 2016, Sec. 5.1. Official:
        davisvideochallenge/davis2017-evaluation ``metrics.py`` ``db_eval_boundary``.
    """
    pred, target = prepare_regions(pred, target, void)
    radius = boundary_tolerance(target.shape, bound_th)
    edge_pred, edge_target = boundary_map(pred), boundary_map(target)
    counted = (
        edge_pred,
        edge_target,
        edge_pred & dilate_map(edge_target, radius),
        edge_target & dilate_map(edge_pred, radius),
    )
    return boundary_f(*(int(np.count_nonzero(plane)) for plane in counted))
