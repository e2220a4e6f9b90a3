"""Similarities between two views of an image, and maps aligned by them.

Matrices are ``(2, 3)`` and act on (x, y, 1) in normalised coordinates: x to the right,
y down, [-1, 1] from edge to edge of the outer pixels (``align_corners=False``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import full_precision


def similarity_matrix(
    image_size: tuple[int, int],
    shift: Sequence[float],
    zoom: float = 1.0,
    flip: int = 1,
    angle: float = 0.0,
) -> np.ndarray:
    """The map from a full image to its zoomed part, ``(2, 3)`` float64.

    Args:
        image_size: (H, W).
        shift: (dy, dx) of the part's centre from the image's, in pixels.
        zoom: side of the part as a share of the image's, above 0.
        flip: -1 where the image was mirrored left to right before, else 1.
        angle: in radians.

    Raises:
        ValueError: the flip is neither 1 nor -1, or comes with an angle; a zoom that is
            not above 0.

    Reference: Araslanov et al., NeurIPS 2021, arXiv:2111.06265. Official:
        visinf/dense-ulearn-vos (88e5e35), the augmentation of its video datasets.

    Note:
        The official inverse of a mirrored rotation is wrong, and no training has one:
        here it is refused.
    """
    if flip not in (1, -1) or zoom <= 0 or (flip == -1 and angle):
        raise ValueError(
            f'flip is {flip}, zoom {zoom} and angle {angle}; flip is 1 or -1, zoom '
            'above 0, and a mirrored image (flip -1) is not rotated.'
        )
    (height, width), (dy, dx) = image_size, shift
    cos, sin, ratio = math.cos(angle), math.sin(angle), height / width
    rows = [
        [flip * cos, ratio * sin, -(cos * dx + sin * dy) / (width // 2)],
        [-sin / ratio, cos, -(cos * dy - sin * dx) / (height // 2)],
    ]
    return np.array(rows) / zoom


def inverse_affine(matrix: np.ndarray) -> np.ndarray:
    """The ``(2, 3)`` matrix of the inverse map.

    Raises:
        ValueError: the map has no inverse.
    """
    linear, moved = matrix[:, :2], matrix[:, 2:]
    try:
        inverse = np.linalg.inv(linear)
    except np.linalg.LinAlgError as error:
        raise ValueError(f'{matrix.tolist()} has no inverse.') from error
    return np.concatenate([inverse, -inverse @ moved], axis=1)


@full_precision
def aligned_places(theta: Tensor, size: tuple[int, int]) -> Tensor:
    """Where each place of an aligned map comes from: the nearest place, or none.

    Aligning a map is a lookup at ``theta (x, y, 1)``. As numbers of places it is
    applied to rows of features by :func:`take_places`, before any product of them.

    Args:
        theta: ``(..., 2, 3)``.
        size: (h, w) of the maps.

    Returns:
        ``(..., h * w)`` int64 in [0, h * w), row-major; -1 where the lookup falls
        outside of the map. Ties round to even, as in ``grid_sample``.

    Raises:
        ValueError: the matrices are not ``(..., 2, 3)``.
    """
    if theta.shape[-2:] != (2, 3):
        raise ValueError(f'theta is {tuple(theta.shape)}; give matrices (..., 2, 3).')
    (h, w), flat = size, theta.reshape(-1, 2, 3)
    count = len(flat)
    grid = F.affine_grid(flat, [count, 1, h, w], align_corners=False)
    numbers = torch.arange(1, h * w + 1, device=theta.device, dtype=flat.dtype)
    maps = numbers.view(1, 1, h, w).expand(count, -1, -1, -1)  # 0 is left for outside
    found = F.grid_sample(maps, grid, 'nearest', 'zeros', align_corners=False)
    return found.long().sub(1).reshape(*theta.shape[:-2], h * w)


def take_places(rows: Tensor, places: Tensor) -> Tensor:
    """Rows of features at places, zero where there is none.

    Args:
        rows: ``(..., n, c)``.
        places: ``(..., m)`` int64 in [0, n), or -1 for none.

    Returns:
        ``(..., m, c)``.

    Raises:
        ValueError: the leading shapes differ.
    """
    if rows.shape[:-2] != places.shape[:-1]:
        raise ValueError(
            f'rows are {tuple(rows.shape)}, places {tuple(places.shape)}; give (..., '
            'n, c) and (..., m) with the same leading axes.'
        )
    n, c = rows.shape[-2:]
    flat = places.reshape(-1, places.shape[-1])
    starts = n * torch.arange(len(flat), device=places.device)[:, None]
    chosen = (flat.clamp_min(0) + starts).flatten()
    taken = rows.reshape(-1, c).index_select(0, chosen)
    taken = taken * (flat.flatten() >= 0).to(rows.dtype)[:, None]
    return taken.view(*places.shape, c)
