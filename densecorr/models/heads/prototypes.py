"""Directions that features are compared with."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Prototypes(nn.Module):
    """Rows of length 1 at the start; ``UnitRowsHook`` keeps them so.

    Args:
        number: of rows.
        channels: of a row.

    Attributes:
        weight: ``(number, channels)``.

    Raises:
        ValueError: fewer than two rows, among which nothing could be chosen.
    """

    def __init__(self, number: int, channels: int) -> None:
        super().__init__()
        if number < 2 or channels < 1:
            raise ValueError(
                f'num_prototypes is {number}, of {channels} channels; give at least 2 '
                'prototypes: with one every patch would have the same label.'
            )
        self.weight = nn.Parameter(F.normalize(torch.randn(number, channels), dim=1))
