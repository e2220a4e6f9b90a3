"""Grids of places on a feature map, moved by a drawn offset."""

from __future__ import annotations

import torch
from torch import Tensor


def anchor_steps(size: tuple[int, int], grid: int) -> tuple[int, int]:
    """Distances (dy, dx) of neighbours in a grid of ``grid`` x ``grid`` places.

    Raises:
        ValueError: a side of the map holds fewer than ``grid`` places, or more than
            ``grid`` at the distance floor(side / grid).
    """
    for side in size:
        step = side // grid if grid > 0 else 0
        if not step or -(-side // step) != grid:
            known = [n for n in range(1, side + 1) if -(-side // (side // n)) == n]
            raise ValueError(
                f'a map of {size[0]}x{size[1]} (h x w) has no regular grid of {grid}x'
                f'{grid} anchors: a side of {side} takes {known}. Change the grid, or '
                "the crop of the pipeline to a multiple of grid * the network's stride."
            )
    return size[0] // grid, size[1] // grid


def grid_offsets(noise: Tensor, size: tuple[int, int], grid: int) -> Tensor:
    """Offsets (oy, ox) of a grid, uniform over the places that a step spans.

    Args:
        noise: ``(b, 2)`` in [0, 1).
        size: (h, w) of the map.
        grid: places of a side.

    Returns:
        ``(b, 2)`` int64 in [0, dy) and [0, dx).
    """
    steps = torch.tensor(anchor_steps(size, grid), device=noise.device)
    return torch.minimum((noise * steps).long(), steps - 1)


def anchor_places(offsets: Tensor, size: tuple[int, int], grid: int) -> Tensor:
    """Places of a grid: row m, column n is at (oy + m dy, ox + n dx).

    Args:
        offsets: ``(b, 2)`` int64 (oy, ox), below the steps.
        size: (h, w) of the map.
        grid: places of a side; steps are floor(h / grid), floor(w / grid).

    Returns:
        ``(b, grid * grid)`` int64 numbers y * w + x, row-major.

    Raises:
        ValueError: there is no such grid on this map, or an offset is out of its
            range.

    Reference: Araslanov et al., NeurIPS 2021, arXiv:2111.06265. Official:
        visinf/dense-ulearn-vos (88e5e35), its model of training.
    """
    steps = torch.tensor(anchor_steps(size, grid), device=offsets.device)
    if offsets.ndim != 2 or offsets.shape[1] != 2:
        raise ValueError(f'offsets are {tuple(offsets.shape)}; give (b, 2), (oy, ox).')
    if (offsets < 0).any() or (offsets >= steps).any():
        raise ValueError(
            f'offsets {offsets.tolist()} are not all in [0, dy) x [0, dx) with steps '
            f'{steps.tolist()}.'
        )
    numbers = torch.arange(grid, device=offsets.device)
    y, x = (offsets[:, i, None] + numbers * steps[i] for i in (0, 1))  # (b, grid)
    return (y[:, :, None] * size[1] + x[:, None, :]).flatten(1)
