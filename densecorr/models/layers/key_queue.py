"""A queue of keys that outlives the batches they came from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KeyQueue(nn.Module):
    """The last ``length`` keys, the oldest of which are replaced first.

    It begins with random directions. Keys and place are buffers, so checkpoints hold
    them and a resumed run goes on with the same negatives.

    Args:
        length: number of keys, a multiple of those that come at once.
        channels: of a key.

    Attributes:
        keys: ``(length, channels)`` of length 1.
        place: 0-dim int64, where the next keys go.

    Reference: He et al., CVPR 2020, arXiv:1911.05722, Sec. 3.2. Official:
        facebookresearch/moco ``moco/builder.py``, where it is ``(channels, length)``.
    """

    keys: Tensor
    place: Tensor

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        if length < 1 or channels < 1:
            raise ValueError(
                f'a KeyQueue has length {length} and {channels} channels; give at '
                'least 1 of each.'
            )
        self.register_buffer('keys', F.normalize(torch.randn(length, channels), dim=1))
        self.register_buffer('place', torch.zeros((), dtype=torch.long))

    def check(self, count: int) -> None:
        """Refuse a number of keys that does not divide the length.

        Raises:
            ValueError: it does not.
        """
        length = len(self.keys)
        if count < 1 or length % count:
            raise ValueError(
                f'the queue of {length} keys is not a multiple of the {count} keys of '
                'a step (batch_size x processes). Choose a batch that divides it, or '
                'another queue_length.'
            )

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Put ``(n, channels)`` keys in the place of the oldest ones.

        Raises:
            ValueError: see :meth:`check`.
        """
        self.check(len(keys))
        rows = self.place + torch.arange(len(keys), device=self.place.device)
        self.keys.index_copy_(0, rows, keys.detach().to(self.keys))
        self.place.add_(len(keys)).remainder_(len(self.keys))
