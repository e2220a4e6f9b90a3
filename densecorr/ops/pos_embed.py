"""Resize a learned positional table to another token grid."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

POS_EMBED_RULES = ('scale_factor', 'size')

_OFFSET = 0.1  # cells added before the division, facebookresearch/dino


def interpolate_pos_embed(
    table: Tensor,
    grid: tuple[int, int],
    rule: str | None,
    num_prefix: int = 1,
    table_grid: tuple[int, int] | None = None,
) -> Tensor:
    """Positional table of another grid, ``(1, p + s*s, c)`` to ``(1, p + h*w, c)``.

    Both rules are bicubic and differ in the source coordinates and the kernel:

    - ``'scale_factor'`` (DINO): scale ``(h + 0.1) / s`` is the coordinate scale,
      ``source = (target + 0.5) / scale - 0.5``, kernel a = -0.75, no antialiasing;
    - ``'size'`` (timm, DINOv2 with registers): scale ``h / s``, antialiased kernel.

    Args:
        table: learned table, row-major, prefix rows first.
        grid: wanted ``(h, w)``. A table of that grid is returned as it is.
        rule: one of ``POS_EMBED_RULES``; None refuses every other grid.
        num_prefix: rows p of class and register tokens, kept unchanged.
        table_grid: (h, w) of the table, None for a square one.

    Raises:
        ValueError: the table does not have the stated grid, or the rule is unknown
            or missing.

    Reference: Caron et al., ICCV 2021, arXiv:2104.14294. Official:
        facebookresearch/dino ``vision_transformer.py`` ``interpolate_pos_encoding``.
    """
    positions = table.shape[1] - num_prefix
    rows, cols = table_grid or (math.isqrt(positions), math.isqrt(positions))
    if rows * cols != positions:
        raise ValueError(
            f'a positional table of {positions} positions (without {num_prefix} prefix '
            f'rows) is not a {rows}x{cols} grid. Check num_prefix and table_grid.'
        )
    if rule is not None and rule not in POS_EMBED_RULES:
        raise ValueError(
            f'pos_embed_rule is {rule!r}, allowed are {POS_EMBED_RULES} and None.'
        )
    if tuple(grid) == (rows, cols):
        return table
    if rule is None:
        raise ValueError(
            f'the token grid is {grid[0]}x{grid[1]}, the positional table '
            f'{rows}x{cols}, and pos_embed_rule is None. Set pos_embed_rule in the '
            "config: 'scale_factor' for DINO, TimeT, SMTC and CatMAE weights, 'size' "
            'for timm and DINOv2 weights.'
        )
    prefix, cells = table[:, :num_prefix], table[:, num_prefix:]
    image = cells.reshape(1, rows, cols, -1).permute(0, 3, 1, 2)  # (1, c, h, w)
    if rule == 'scale_factor':
        scale = ((grid[0] + _OFFSET) / rows, (grid[1] + _OFFSET) / cols)
        image = F.interpolate(image, scale_factor=scale, mode='bicubic')
    else:
        image = F.interpolate(image, size=grid, mode='bicubic', antialias=True)
    assert image.shape[-2:] == tuple(grid), (image.shape, grid)
    return prefix_rows(prefix, image.flatten(2).transpose(1, 2))


def prefix_rows(prefix: Tensor, rows: Tensor) -> Tensor:
    """``(1 or b, p, c)`` rows in front of ``(b, n, c)``, to ``(b, p + n, c)``."""
    expanded = prefix.expand(rows.shape[0], -1, -1)
    return torch.cat([expanded, rows], dim=1)
