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
        copies: ``(q, d)`` int64 multiplicities; keys with 0 take no slot.
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


def in_order(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that hold equal values get the canonical order; others have it."""
    equal = (values[:, 1:] == values[:, :-1]) & (values[:, 1:] > -torch.inf)
    rows = equal.any(1).nonzero()[:, 0]
    if len(rows):
        values, index = values.clone(), index.clone()
        values[rows], index[rows] = sort_canonically(values[rows], index[rows])
    return values, index


def ties_at_rank(values: Tensor, copies: Tensor, topk: int, ties: str) -> Tensor:
    """Queries of which a key outside the slots equals the last one inside.

    Args:
        values: ``(q, d)`` affinities of distinct keys, descending; ``topk + 1`` of
            them are enough.
        copies: ``(q, d)`` multiplicities.
        topk: number of slots.
        ties: with ``'all'`` a copy of the last key counts as outside, too.

    Returns:
        ``(q,)`` bool.
    """
    if values.shape[1] < 2:
        return torch.zeros(len(values), dtype=torch.bool, device=values.device)
    filled = copies.cumsum(1)
    full = filled >= topk  # (q, d)
    last = full.int().argmax(1).clamp_max(values.shape[1] - 2)[:, None]
    inside, outside = values.gather(1, last), values.gather(1, last + 1)
    equal = (inside == outside) & full[:, -2:-1]  # else every key is in a slot
    if ties == 'all':  # copies of the last key are equal to it, too
        equal |= filled.gather(1, last) > topk
    return (equal & (inside > -torch.inf))[:, 0]


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


def labels_of(labels: Tensor, slots: Slots, rule: Rule) -> Tensor:
    """Labels that slots give, ``(q, o)``; no bit depends on which rows are together.

    Args:
        labels: ``(m * n, o)`` float labels of all keys.
        slots: ``(q, s)``; with ``ties='all'`` rows may fill more than ``topk``, and
            those that fill as many are added up together.
        rule: temperature and weighting.
    """
    width = slots.values.shape[1]
    if rule.topk is None or width <= rule.topk:
        weights = slot_weights(slots.values, rule)
        return weighted_labels(labels, slots.index, weights)
    filled = (slots.values > -torch.inf).sum(1).clamp_min(rule.topk)
    out = labels.new_empty(len(filled), labels.shape[1])
    for count in filled.unique().tolist():
        rows = filled == count
        values, index = slots.values[rows, :count], slots.index[rows, :count]
        out[rows] = weighted_labels(labels, index, slot_weights(values, rule))
    return out


def exact_slots(values: Tensor, index: Tensor, copies: Tensor, rule: Rule) -> Slots:
    """Slots of some queries from their affinities with all keys: the definition.

    Args:
        values: ``(u, m)`` affinities.
        index: ``(m,)`` key indices, ascending: equal keys are taken in this order.
        copies: ``(u, m)`` multiplicities, 0 = not allowed.
        rule: ``topk`` a number; ``ties='all'`` can give more slots than that.
    """
    topk = rule.topk or 1
    values = values.masked_fill(copies == 0, -torch.inf)
    best, place = values.topk(min(topk, values.shape[1]), dim=1)
    filled = copies.gather(1, place).cumsum(1)  # (u, d)
    full = filled >= topk
    limit = best.gather(1, full.int().argmax(1)[:, None])  # of the last slot
    limit = limit.masked_fill(~full.any(1, keepdim=True), -torch.inf)
    above = best > limit  # fewer than topk keys, so all of them are in ``best``
    best, place = sort_canonically(best.masked_fill(~above, -torch.inf), place)
    tied = _packed_columns((values == limit) & (limit > -torch.inf))  # (u, e)
    place = torch.cat([place, tied.clamp_min(0)], dim=1)
    used = torch.cat([best > -torch.inf, tied >= 0], dim=1)
    counts = copies.gather(1, place).long() * used
    if rule.ties == 'all':
        topk = max(topk, int(counts.sum(1).max()))
    found = values.gather(1, place).masked_fill(~used, -torch.inf)
    return fill_slots(found, index[place], counts, topk)


def _packed_columns(where: Tensor) -> Tensor:
    """Numbers of the true columns of every row, ascending, -1 where a row has fewer."""
    row, column = where.nonzero(as_tuple=True)
    count = row.bincount(minlength=len(where))
    packed = column.new_full((len(where), int(count.max())), -1)
    first = count.cumsum(0) - count
    packed[row, torch.arange(len(row), device=row.device) - first[row]] = column
    return packed
