"""CatMAE's decoder: a frame from the frames before it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.models.layers.cross_decoder import CrossDecoderLayer
from densecorr.models.layers.mae_init import TOKEN_STD, init_linears_
from densecorr.ops.affine import take_places
from densecorr.ops.pos_embed import sincos_pos_embed
from densecorr.ops.random_masking import put_rows
from densecorr.registry import MODELS

_NORM_EPS = 1e-6  # of the last norm; those of the layers have torch's 1e-5
_MEMORIES = 2  # frames that are looked at: the visible one, and a masked one


@MODELS.register_module()
class CatMAEDecoder(nn.Module):
    """Patches of two masked frames, from concatenated memories.

    The memory of the first masked frame is the visible frame; that of the second has
    the visible tokens of the first one besides. Each memory carries a learned code of
    its frame. Both frames pass the same layers.

    Args:
        in_channels: of the encoder's tokens.
        patch_values: d of a patch, 3 * size * size.
        channels: c of the decoder, a multiple of 4.
        depth: number of layers.
        num_heads: of every attention.
        hidden: width of the feed-forward parts.
        dropout: see :class:`CrossDecoderLayer`.

    Reference: Jiang et al., arXiv:2311.00961, Sec. 3. Official: minhoooo1/CatMAE
        ``models_catmae.py`` (0fb1f60).
    """

    def __init__(
        self,
        in_channels: int,
        patch_values: int,
        channels: int = 256,
        depth: int = 4,
        num_heads: int = 4,
        hidden: int = 2048,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if depth < 1 or not 0 <= dropout < 1:
            raise ValueError(
                f'CatMAEDecoder has depth {depth} and dropout {dropout}; give at least '
                'one layer, and a dropout in [0, 1).'
            )
        self.channels = channels
        self.embed = nn.Linear(in_channels, channels)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, channels))
        self.frame_embed = nn.Parameter(torch.zeros(_MEMORIES, 1, 1, channels))
        self.blocks = nn.ModuleList(
            CrossDecoderLayer(channels, num_heads, hidden, dropout)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(channels, eps=_NORM_EPS)
        self.pred = nn.Linear(channels, patch_values)
        init_linears_(self)
        nn.init.normal_(self.mask_token, std=TOKEN_STD)
        nn.init.normal_(self.frame_embed, std=TOKEN_STD)

    def forward(
        self,
        first: Tensor,
        others: Sequence[Tensor],
        kept: Sequence[Tensor],
        grid: tuple[int, int],
    ) -> list[Tensor]:
        """Patches of the masked frames, ``(b, n, d)`` each.

        Args:
            first: ``(b, 1 + n, in_channels)`` tokens of the visible frame, class token
                first.
            others: of one or two masked frames, ``(b, 1 + k, in_channels)`` each, in
                the order of
            kept: ``(b, k)`` int64, the visible tokens.
            grid: (h, w) of the n patches.
        """
        table = sincos_pos_embed(self.channels, grid, first.device)
        queries = [
            self._restored(tokens, index, table)
            for tokens, index in zip(others, kept, strict=True)
        ]
        memory = self.embed(first) + table + self.frame_embed[0]
        found = []
        for number, frame in enumerate(queries):
            if number:
                seen = _visible(queries[number - 1], kept[number - 1])
                memory = torch.cat([memory, seen + self.frame_embed[number]], dim=1)
            found.append(self._decoded(frame, memory))
        return found

    def _restored(self, tokens: Tensor, kept: Tensor, table: Tensor) -> Tensor:
        """Visible tokens in their places, mask tokens elsewhere: ``(b, 1 + n, c)``."""
        tokens = self.embed(tokens)
        return put_rows(tokens, _rows_of(kept), self.mask_token, table.shape[1]) + table

    def _decoded(self, queries: Tensor, memory: Tensor) -> Tensor:
        for block in self.blocks:
            queries = block(queries, memory)
        return self.pred(self.norm(queries))[:, 1:]


def _visible(frame: Tensor, kept: Tensor) -> Tensor:
    """Class token and visible tokens of ``(b, 1 + n, c)``, row-major."""
    return take_places(frame, _rows_of(kept.sort(dim=1).values))


def _rows_of(kept: Tensor) -> Tensor:
    """Rows of the class token and of patches among ``1 + n`` tokens, ``(b, 1 + k)``."""
    return F.pad(kept + 1, (1, 0))
