"""A queue that new rows enter in front."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RowQueue(nn.Module):
    """The last ``length`` rows, the newest first; zeros until it is full.

    Any number of rows may enter at once. The rows are a buffer, so checkpoints hold
    them. (:class:`KeyQueue` takes equal parts and has no order.)

    Args:
        length: number of rows.
        channels: of a row.

    Attributes:
        rows: ``(length, channels)``.

    Reference: Caron et al. (SwAV), NeurIPS 2020, arXiv:2006.09882, App. A; Salehi et
        al. (TimeT), ICCV 2023, arXiv:2308.11796.
    """

    rows: Tensor

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        if length < 1 or channels < 1:
            raise ValueError(
                f'a RowQueue has length {length} and {channels} channels; give at '
                'least 1 of each.'
            )
        self.register_buffer('rows', torch.zeros(length, channels))

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Put ``(n, channels)`` rows in front; the oldest ones drop out."""
        rows = rows.detach().to(self.rows)
        self.rows.copy_(torch.cat([rows, self.rows])[: len(self.rows)])

    def full(self) -> bool:
        """Whether the last row is there: not all zero."""
        return bool(self.rows[-1].any())
