"""Positional tables: the fixed one, and resizing one to another token grid."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

POS_EMBED_RULES = ('scale_factor', 'size')

_OFFSET = 0.1  # cells added before the division, facebookresearch/dino
_WAVELENGTH = 10000.0  # of the slowest wave, in cells / 2 pi


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


def sincos_pos_embed(
    channels: int, grid: tuple[int, int], device: torch.device | str = 'cpu'
) -> Tensor:
    """The fixed table of MAE and CatMAE, ``(1, 1 + h*w, c)``; the first row is zero.

    The first half of the channels codes the column x, the second the row y, each as
    ``[sin(p w_k), cos(p w_k)]`` with ``w_k = 10000 ** (-k / (c / 4))``.

    Args:
        channels: c, a multiple of 4.
        grid: (h, w) of the patches.
        device: of the table.

    Raises:
        ValueError: ``channels`` is no multiple of 4.

    Reference: He et al., CVPR 2022, arXiv:2111.06377. Official: facebookresearch/mae
        ``util/pos_embed.py`` ``get_2d_sincos_pos_embed``.
    """
    if channels % 4 or channels < 1:
        raise ValueError(
            f'a sin-cos table has {channels} channels; give a multiple of 4: sine and '
            'cosine of two coordinates.'
        )
    waves = channels // 4
    steps, ys, xs = (
        torch.arange(count, dtype=torch.float64, device=device)
        for count in (waves, *grid)
    )
    rows, cols = torch.meshgrid(ys, xs, indexing='ij')
    places = torch.stack([cols, rows], dim=-1)[..., None]  # (h, w, 2, 1)
    angles = places * _WAVELENGTH ** -(steps / waves)  # (h, w, 2, waves)
    table = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(2)  # (h, w, c)
    zero = table.new_zeros(1, 1, channels)
    return torch.cat([zero, table.flatten(0, 1)[None]], dim=1).float()
