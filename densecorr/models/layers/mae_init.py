"""How weights of masked autoencoders begin."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from densecorr.ops.pos_embed import sincos_pos_embed

TOKEN_STD = 0.02  # of class, mask and other learned tokens


def init_linears_(module: nn.Module) -> None:
    """Xavier-uniform matrices and zero biases of all linear layers, in place."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def init_mae_(vit: Any) -> None:
    """Weights of a timm ViT as MAE and CatMAE begin, in place.

    Linear layers as :func:`init_linears_`, the patch kernels as one matrix; the class
    token is normal; the positional table is the fixed sine table and gets no gradient.

    Raises:
        ValueError: the ViT has no class token, or no table for it and the patches.

    Reference: He et al., CVPR 2022, arXiv:2111.06377. Official: minhoooo1/CatMAE
        ``models_catmae.py`` ``initialize_weights`` (0fb1f60).
    """
    embed, table = vit.patch_embed, vit.pos_embed
    if (
        vit.cls_token is None
        or table is None
        or table.shape[1] != embed.num_patches + 1
    ):
        raise ValueError(
            "init='mae' is for ViTs whose positional table has a row for a class token "
            '(vit_small_patch16_224); this one has another table.'
        )
    init_linears_(vit)
    kernel = embed.proj.weight
    nn.init.xavier_uniform_(kernel.view(len(kernel), -1))
    if embed.proj.bias is not None:
        nn.init.zeros_(embed.proj.bias)
    nn.init.normal_(vit.cls_token, std=TOKEN_STD)
    with torch.no_grad():
        table.copy_(sincos_pos_embed(table.shape[2], embed.grid_size, table.device))
    table.requires_grad_(False)
