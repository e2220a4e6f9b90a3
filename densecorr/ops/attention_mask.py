"""Where a transformer looks: foreground cells from the attention of the class token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import full_precision


@torch.no_grad()
@full_precision
def attention_mask(
    attention: Tensor,
    grid: tuple[int, int],
    *,
    mass: float = 0.65,
    sigma: float = 0.6,
    kernel: int = 7,
    min_cells: int = 3,
) -> Tensor:
    """Cells that hold most of the attention, without specks.

    Mean over the heads, Gaussian blur, the largest cells that together hold ``mass`` of
    the sum, without 8-connected components of fewer than ``min_cells``.

    Args:
        attention: ``(b, heads, n)`` of the class token to the n = h * w patches.
        grid: (h, w).
        mass: share of the attention to keep, in (0, 1].
        sigma: of the Gaussian, in cells; 0: no blur.
        kernel: its width, odd.
        min_cells: smallest component that stays; 1 keeps all.

    Returns:
        ``(b, h, w)`` bool.

    Raises:
        ValueError: attention of another shape, options out of range.

    Reference:
        Caron et al. (DINO), ICCV 2021: mass; Ziegler and Asano (Leopart), CVPR 2022,
        arXiv:2204.13101; Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796.
    """
    if attention.ndim != 3 or attention.shape[-1] != grid[0] * grid[1]:
        raise ValueError(
            f'attention is {tuple(attention.shape)}; for a grid of {grid} it should be '
            f'(images, heads, {grid[0] * grid[1]}), without the class token.'
        )
    if not 0 < mass <= 1:
        raise ValueError(f'mass is {mass}; it should be above 0 and at most 1.')
    maps = attention.mean(1).unflatten(1, grid)  # (b, h, w)
    if sigma > 0:
        maps = gaussian_blur(maps, kernel, sigma)
    values, order = maps.flatten(1).sort(dim=1, stable=True)
    sums = values.cumsum(1)
    kept = sums / sums[:, -1:] > 1 - mass
    mask = torch.zeros_like(kept).scatter_(1, order, kept).unflatten(1, grid)
    return drop_small_components(mask, min_cells) if min_cells > 1 else mask


def gaussian_blur(maps: Tensor, kernel: int, sigma: float) -> Tensor:
    """Blur ``(b, h, w)`` maps; beyond the edge they are reflected.

    Raises:
        ValueError: an even kernel, or one that needs larger maps.
    """
    reach = kernel // 2
    if kernel % 2 == 0 or reach >= min(maps.shape[1:]):
        raise ValueError(
            f'kernel is {kernel}; it should be odd, and half of it smaller than both '
            f'sides of the {maps.shape[1]}x{maps.shape[2]} map.'
        )
    steps = torch.arange(-reach, reach + 1, dtype=maps.dtype, device=maps.device)
    weights = (-0.5 * (steps / sigma).square()).exp()
    weights = weights / weights.sum()
    padded = F.pad(maps[:, None], (reach, reach, reach, reach), mode='reflect')
    rows = F.conv2d(padded, weights.view(1, 1, -1, 1))
    return F.conv2d(rows, weights.view(1, 1, 1, -1))[:, 0]


def drop_small_components(mask: Tensor, min_cells: int) -> Tensor:
    """Set 8-connected components of fewer than ``min_cells`` cells to False.

    Args:
        mask: ``(b, h, w)`` bool.
        min_cells: smallest component that stays.
    """
    labels = component_labels(mask)  # (b, h, w)
    sizes = torch.zeros(mask.numel() + 1, dtype=torch.int64, device=mask.device)
    sizes.index_add_(0, labels.flatten(), torch.ones_like(labels).flatten())
    return mask & (sizes[labels] >= min_cells)


def component_labels(mask: Tensor) -> Tensor:
    """Number of the 8-connected component of every cell, 0 outside of the mask.

    Args:
        mask: ``(b, h, w)`` bool.

    Returns:
        ``(b, h, w)`` int64; numbers differ between images and are not consecutive.
    """
    numbers = torch.arange(1, mask.numel() + 1, device=mask.device).view(mask.shape)
    labels = torch.where(mask, numbers, 0).double()  # pooling wants floats
    while True:  # at most as many times as the longest way through a component
        spread = F.max_pool2d(labels[:, None], 3, stride=1, padding=1)[:, 0]
        spread = torch.where(mask, spread, 0)
        if torch.equal(spread, labels):
            return labels.long()
        labels = spread
