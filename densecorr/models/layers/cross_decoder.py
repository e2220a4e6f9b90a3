"""A transformer layer that looks at a memory first, then at its own tokens."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


class CrossDecoderLayer(nn.Module):
    """Cross-attention, feed-forward and self-attention, each with a norm after its sum.

    Args:
        channels: c of queries and memory.
        num_heads: of both attentions; divides ``channels``.
        hidden: width of the feed-forward part.
        dropout: of attention weights, inside the feed-forward part, and of what each
            part adds, in training.

    Reference: Jiang et al., arXiv:2311.00961. Official: minhoooo1/CatMAE
        ``models_catmae.py`` (0fb1f60); parameters have its names.
    """

    def __init__(
        self, channels: int, num_heads: int, hidden: int = 2048, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(
                f'a decoder layer of {channels} channels has {num_heads} heads; the '
                'channels are a multiple of the heads.'
            )
        options: dict[str, Any] = dict(dropout=dropout, batch_first=True)
        self.self_attn = nn.MultiheadAttention(channels, num_heads, **options)
        self.multihead_attn = nn.MultiheadAttention(channels, num_heads, **options)
        self.linear1 = nn.Linear(channels, hidden)
        self.linear2 = nn.Linear(hidden, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, queries: Tensor, memory: Tensor) -> Tensor:
        """``(b, q, c)`` and ``(b, m, c)`` to ``(b, q, c)``."""
        drop = self.dropout
        seen, _ = self.multihead_attn(queries, memory, memory, need_weights=False)
        queries = self.norm2(queries + drop(seen))
        hidden = drop(F.gelu(self.linear1(queries)))
        queries = self.norm3(queries + drop(self.linear2(hidden)))
        own, _ = self.self_attn(queries, queries, queries, need_weights=False)
        return self.norm1(queries + drop(own))
