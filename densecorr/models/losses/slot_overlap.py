"""Semantic slots of a frame share no place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.ops.precision import full_precision
from densecorr.ops.slots import semantic_areas
from densecorr.registry import MODELS

_EPS = 1e-8  # added to shares, as in SMTC


@full_precision
def slot_overlap(semantic_dots: Tensor) -> Tensor:
    r"""Mean cosine of the areas of two semantic slots, in [0, 1], in float32.

    .. math:: \frac{1}{s (s - 1)} \sum_{a \ne b} q_a \cdot q_b, \quad
        q_a = \frac{p_a + 10^{-8}}{\lVert p_a + 10^{-8} \rVert}

    averaged over frames; p is the share of a slot in every place.

    Args:
        semantic_dots: ``(..., s, n)`` logits, s at least 2.

    Raises:
        ValueError: there is a single slot.

    Reference: arXiv:2308.09951. Official: shvdiwnkozbw/SMTC, ``--entro_cons``; it is
        no entropy.
    """
    count = semantic_dots.shape[-2]
    if count < 2:
        raise ValueError(
            f'semantic_dots are {tuple(semantic_dots.shape)}, {count} slot(s) in each '
            'frame; an overlap needs two. Raise num_slots, or leave the loss out.'
        )
    unit = F.normalize(semantic_areas(semantic_dots) + _EPS, dim=-1)  # (..., s, n)
    cosines = unit @ unit.transpose(-1, -2)  # (..., s, s)
    other = 1 - torch.eye(count, dtype=unit.dtype, device=unit.device)
    return (cosines * other).sum((-2, -1)).mean() / (count * (count - 1))


@MODELS.register_module()
class SlotOverlapLoss(nn.Module):
    """:func:`slot_overlap` with a weight.

    Args:
        weight: multiplies it, not negative.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = check_weight(self, weight)

    def forward(self, semantic_dots: Tensor) -> Tensor:
        """``(b, t, s, n)`` logits to a scalar."""
        return self.weight * slot_overlap(semantic_dots)


def check_weight(loss: nn.Module, weight: float) -> float:
    """The weight of a loss.

    Raises:
        ValueError: it is negative or not finite.
    """
    if not 0 <= weight < torch.inf:
        raise ValueError(
            f'weight of {type(loss).__name__} is {weight}; give 0 or a positive number.'
        )
    return float(weight)
