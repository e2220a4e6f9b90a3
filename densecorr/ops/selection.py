"""Top-k selections of keys: multiplicities, ties, weights and weighted labels.

A *slot* is one of the k places of a query. A key frame may stand in the memory
several times (published protocols repeat the first frame); such a key takes as many
slots as it has copies, which equals computing with real copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WEIGHTINGS = ('softmax', 'relu_squared')
TIES = ('lowest', 'all')


@dataclass(frozen=True)
class Rule:
    """How affinities become weights.

    Args:
        topk: slots per query over all key frames jointly; ``None`` = all keys.
        temperature: divides the affinity.
        ties: keys equal to the k-th: ``'lowest'`` takes those of the lowest index,
            ``'all'`` keeps every one of them (the rule of DINO's threshold).
        weighting: ``'softmax'`` over the selected keys, or ``'relu_squared'``:
            ``max(affinity, 0) ** 2`` without normalisation (Spa-then-Temp's
            ``cosine``).

    Raises:
        ValueError: a value outside the allowed ones.
    """

    topk: int | None = 10
    temperature: float = 0.07
    ties: str = 'lowest'
    weighting: str = 'softmax'

    def __post_init__(self) -> None:
        if self.topk is not None and self.topk < 1:
            raise ValueError(f'topk is {self.topk}; it should be at least 1, or None.')
        if not self.temperature > 0:
            raise ValueError(f'temperature is {self.temperature}; it should be > 0.')
        if self.ties not in TIES:
            raise ValueError(f'ties is {self.ties!r}; it should be one of {TIES}.')
        if self.weighting not in WEIGHTINGS:
            raise ValueError(
                f'weighting is {self.weighting!r}; it should be one of {WEIGHTINGS}.'
            )


@dataclass(frozen=True)
class Slots:
    """Selected keys of every query.

    Attributes:
        values: ``(q, s)`` affinity before the temperature, descending; ``-inf`` in
            slots that no key takes.
        index: ``(q, s)`` int64 key, ``frame * h * w + position``; 0 in empty slots.
    """

    values: Tensor
    index: Tensor


def fill_slots(values: Tensor, index: Tensor, copies: Tensor, topk: int) -> Slots:
    """Give every distinct key its copies, until the slots are full.

    Args:
        values: ``(q, d)`` affinities of distinct keys, descending.
        index: ``(q, d)`` their indices.
        copies: ``(q, d)`` int64 multiplicities, at least 1 where ``values`` is finite.
        topk: number of slots.
    """
    last = copies.cumsum(1)  # slot after the last one of every key
    slots = torch.arange(topk, device=values.device).expand(len(values), topk)
    owner = torch.searchsorted(last, slots.contiguous(), right=True)  # (q, topk)
    empty = owner >= values.shape[1]
    owner = owner.clamp_max(values.shape[1] - 1)
    values, index = values.gather(1, owner), index.gather(1, owner)
    values = values.masked_fill(empty, -torch.inf)
    return Slots(values, index.masked_fill(values == -torch.inf, 0))


def sort_canonically(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Order rows by value, descending, then by index: sums then have one order."""
    index, order = index.sort(dim=1)
    values, place = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, place)


def slot_weights(values: Tensor, rule: Rule) -> Tensor:
    """Weights of the slots, ``(q, s)``, in float32; 0 where a slot is empty."""
    scaled = values.float() / rule.temperature
    if rule.weighting == 'softmax':
        return scaled.softmax(dim=1)
    return scaled.clamp_min(0).square()


def weighted_labels(labels: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """Sum of weighted labels, in slot order.

    Args:
        labels: ``(m * n, o)`` float labels of all keys.
        index: ``(q, s)`` int64 keys.
        weights: ``(q, s)``.

    Returns:
        ``(q, o)``. Nothing of size ``q x s x o`` is built.
    """
    return F.embedding_bag(
        index, labels, per_sample_weights=weights.to(labels.dtype), mode='sum'
    )


def select_rows(values: Tensor, copies: Tensor, topk: int) -> tuple[Tensor, Tensor]:
    """Exact selection of whole rows with ties resolved by the lowest column.

    Args:
        values: ``(q, m)`` affinities of all keys, columns in the order of their index.
        copies: ``(q, m)`` int64 multiplicities, 0 = not allowed.
        topk: number of slots.

    Returns:
        ``(q, m)`` int64: how many of the ``topk`` slots every key takes, and ``(q,)``
        the affinity at which the slots are full (``-inf`` where they never are).
    """
    values = values.masked_fill(copies == 0, -torch.inf)
    distinct = min(topk, values.shape[1])
    best, place = values.topk(distinct, dim=1)
    filled = copies.gather(1, place).cumsum(1)  # (q, distinct)
    full = filled >= topk
    where = full.int().argmax(1)
    limit = best.gather(1, where[:, None])  # (q, 1)
    limit = limit.masked_fill(~full.any(1, keepdim=True), -torch.inf)
    above = (values > limit) * copies
    tied = ((values == limit) & (limit > -torch.inf)) * copies
    room = topk - above.sum(1, keepdim=True)  # (q, 1)
    before = tied.cumsum(1) - tied
    return above + (room - before).clamp_min(0).minimum(tied), limit[:, 0]
