"""Exact top-k search of keys, a block of queries at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .keys import BF16_ROUNDING, Keys, query_positions
from .plan import Plan, blocks_of, reach_of
from .scores import Block, Group, area_feats, ready
from .selection import Rule, Slots, exact_slots, fill_slots, in_order, ties_at_rank
from .window import Window

_SURVIVORS = (4, 16)  # per slot, kept by a bfloat16 pre-selection: first, then
_SUM_ERROR = 1e-5  # of float32 sums of products of unit features


@dataclass
class Statistics:
    """What a search did; summed over calls.

    Attributes:
        queries: queries searched.
        tied: queries whose k-th key has equals, selected again by index.
        uncertified: queries whose bfloat16 pre-selection could not be proven exact and
            that were computed again in float32.
    """

    queries: int = 0
    tied: int = 0
    uncertified: int = 0

    def __add__(self, other: Statistics) -> Statistics:
        return Statistics(
            self.queries + other.queries,
            self.tied + other.tied,
            self.uncertified + other.uncertified,
        )

    @property
    def certified(self) -> float:
        """Share of the queries that were not computed again in float32."""
        return 1 - self.uncertified / max(1, self.queries)


@dataclass
class Search:
    """One query frame against one memory.

    Args:
        query: ``(h, w, c)`` float32 features.
        keys: the memory.
        window: restriction of the frames that have one.
        rule: number of slots and treatment of ties; ``topk`` is a number here.
        plan: block shape.
        bfloat16: pre-select with bfloat16 products, then score in float32.
    """

    query: Tensor
    keys: Keys
    window: Window
    rule: Rule
    plan: Plan
    bfloat16: bool = False

    def __post_init__(self) -> None:
        self.statistics = Statistics(queries=self.query.shape[0] * self.query.shape[1])
        self._dtype = torch.bfloat16 if self.bfloat16 else torch.float32
        self._buffers: dict[str, Tensor] = {}
        self._converted: dict[int, Tensor] = {}
        self._rows, self._cols = query_positions(self.query)
        if self.rule.topk is None:
            raise ValueError('a search needs topk; all keys are weighted directly.')
        self._topk = self.rule.topk

    def blocks(self) -> Iterator[tuple[Tensor, Slots]]:
        """Slots of every query, in pieces: ``(q,)`` query positions and their slots.

        Rows of one piece have the same number of slots; with ``ties='all'`` a piece of
        tied queries can have more than ``topk``.
        """
        if self.plan.dense:
            total = self.statistics.queries
            for start, end in blocks_of(total, self.plan.cols):
                ids = torch.arange(start, end, device=self.query.device)
                yield from self._select(ids, self._dense_groups(ids))
            return
        (h, w), reach = self.keys.grid, self.window.reach
        for left, right in blocks_of(w, self.plan.cols):
            x0, x1 = reach_of(left, right, reach, w)
            strip = self._strip(x0, x1) if self.plan.strips else None
            for top, bottom in blocks_of(h, self.plan.rows):
                y0, y1 = reach_of(top, bottom, reach, h)
                down = torch.arange(top, bottom, device=self.query.device) * w
                across = torch.arange(left, right, device=self.query.device)
                ids = (down[:, None] + across).flatten()
                groups = [self._windowed_group(ids, (y0, y1, x0, x1), strip)]
                yield from self._select(ids, groups + self._global_groups(ids))

    def _group(
        self, ids: Tensor, frames: list[int], area: tuple, restricted: bool
    ) -> Group:
        block = Block(self.query.flatten(0, 1)[ids], self._rows[ids], self._cols[ids])
        return Group(self.keys, frames, block, area, self.window, restricted)

    def _buffer(self, name: str, size: int) -> Tensor:
        if name not in self._buffers or self._buffers[name].numel() < size:
            self._buffers[name] = self.query.new_empty(size, dtype=self._dtype)
        return self._buffers[name]

    def _scored(self, group: Group, sources: Iterable[Tensor], name: str) -> Group:
        t, q, cells = group.shape
        group.score(sources, self._buffer(name, t * q * cells))
        return group

    def _strip(self, x0: int, x1: int) -> Tensor:
        """Key columns of all windowed frames, contiguous: ``(t, h, x1 - x0, c)``."""
        frames = self.keys.windowed_frames()
        shape = (len(frames), self.keys.grid[0], x1 - x0, self.query.shape[-1])
        strip = self._buffer('strip', shape[0] * shape[1] * shape[2] * shape[3])
        strip = strip[: shape[0] * shape[1] * shape[2] * shape[3]].view(shape)
        for place, frame in enumerate(frames):
            feats = self.keys.feats[frame, :, x0:x1]
            strip[place].copy_(self._ready(feats))
        return strip

    def _windowed_group(self, ids: Tensor, area: tuple, strip: Tensor | None) -> Group:
        frames = self.keys.windowed_frames()
        sources: Iterable[Tensor]
        if strip is not None:
            sources = [part[area[0] : area[1]].flatten(0, 1) for part in strip]
        else:
            sources = (self._ready(area_feats(self.keys, f, area)) for f in frames)
        group = self._group(ids, frames, area, True)
        return self._scored(group, sources, 'windowed')

    def _whole_group(
        self, ids: Tensor, frames: list[int], restricted: bool, name: str
    ) -> list[Group]:
        if not frames:
            return []
        h, w = self.keys.grid
        sources = [self._whole(frame) for frame in frames]
        group = self._group(ids, frames, (0, h, 0, w), restricted)
        return [self._scored(group, sources, name)]

    def _ready(self, feats: Tensor) -> Tensor:
        return ready(feats, self._dtype, self.keys.center)

    def _whole(self, frame: int) -> Tensor:
        """All features of a frame, ``(n, c)``, in the precision of the products."""
        feats = self.keys.feats[frame].flatten(0, 1)
        if feats.dtype == self._dtype or not self.plan.converted:
            return feats
        if frame not in self._converted:
            self._converted[frame] = self._ready(feats)
        return self._converted[frame]

    def _global_groups(self, ids: Tensor) -> list[Group]:
        return self._whole_group(ids, self.keys.global_frames(), False, 'global')

    def _dense_groups(self, ids: Tensor) -> list[Group]:
        restricted = self.window.shape != 'none'
        frames = self.keys.windowed_frames()
        near = self._whole_group(ids, frames, restricted, 'windowed')
        return near + self._global_groups(ids)

    def _select(
        self, ids: Tensor, groups: list[Group]
    ) -> Iterator[tuple[Tensor, Slots]]:
        k = self._topk
        if self.bfloat16:
            values, index, again = self._survivors(ids, groups)
            self.statistics.uncertified += int(again.sum())
        else:
            values, index, _ = _best_of(groups, k + 1)
            again = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        copies = self._copies(ids, index)
        tied = ties_at_rank(values, copies, k, self.rule.ties) & ~again
        self.statistics.tied += int(tied.sum())
        again |= tied
        values, index = in_order(values, index)
        yield from self._finish(
            ids, groups, self._to_slots(ids, values, index, k), again
        )

    def _finish(
        self, ids: Tensor, groups: list[Group], slots: Slots, again: Tensor
    ) -> Iterator[tuple[Tensor, Slots]]:
        """Slots as they were found, and those that are computed ``again``, exactly."""
        if not bool(again.any()):
            yield ids, slots
            return
        keep = ~again
        yield ids[keep], Slots(slots.values[keep], slots.index[keep])
        for piece in again.nonzero()[:, 0].split(self._rows_at_once(groups)):
            yield ids[piece], self._exact(groups, piece)

    def _survivors(
        self, ids: Tensor, groups: list[Group]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Best keys by float32 scores, and the queries for which that is not proven.

        A first, small number of survivors proves most queries; those left get more.
        """
        few, many = (number * self._topk for number in _SURVIVORS)
        values, index, rest = _best_of(groups, few + 1)
        values, index, unproven = self._rescore(ids, values, index, rest)
        values, index = values[:, : self._topk + 1], index[:, : self._topk + 1]
        share = max(1, len(ids) * few // many)  # rows that fit in the same space
        rows = unproven.nonzero()[:, 0]
        for piece in rows.split(share) if len(rows) else ():
            more = _best_of(groups, many + 1, piece)
            better, where, unproven[piece] = self._rescore(ids[piece], *more)
            width = values.shape[1]
            values[piece], index[piece] = better[:, :width], where[:, :width]
        return values, index, unproven

    def _copies(self, ids: Tensor, index: Tensor) -> Tensor:
        if self.keys.single():
            return torch.ones_like(index)
        rows, cols = self._rows[ids], self._cols[ids]
        return self.keys.copies(rows, cols, index, self.window)

    def _to_slots(self, ids: Tensor, values: Tensor, index: Tensor, topk: int) -> Slots:
        if not self.keys.single():
            return fill_slots(values, index, self._copies(ids, index), topk)
        values, index = values[:, :topk], index[:, :topk]
        if values.shape[1] < topk:
            missing = (0, topk - values.shape[1])
            values = torch.nn.functional.pad(values, missing, value=-torch.inf)
            index = torch.nn.functional.pad(index, missing)
        return Slots(values, index.masked_fill(values == -torch.inf, 0))

    def _rescore(
        self, ids: Tensor, values: Tensor, index: Tensor, rest: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Float32 scores of survivors, descending, and the queries not proven.

        ``rest`` bounds the bfloat16 scores of all keys that are not survivors.
        """
        feats = self.keys.feats.flatten(0, 2)
        query = self.query.flatten(0, 1)[ids]
        gathered = feats[index].float()  # (q, d, c)
        exact = torch.bmm(gathered, query[:, :, None])[:, :, 0]
        exact = exact.masked_fill(values == -torch.inf, -torch.inf)
        exact, place = exact.sort(dim=1, descending=True)
        kth = exact[:, min(self._topk, exact.shape[1]) - 1]
        bound = rest + self._error_bound(query, rest)
        if self.keys.center is not None:
            bound = bound + query @ self.keys.center
        return exact, index.gather(1, place), (kth <= bound) & (rest > -torch.inf)

    def _error_bound(self, query: Tensor, score: Tensor) -> Tensor:
        """Largest error of a bfloat16 score: both roundings and that of the result."""
        lost = (query - query.bfloat16().float()).norm(dim=1)  # (q,)
        length = query.norm(dim=1)
        key_length, key_lost = self.keys.rounding
        products = lost * key_length + (length + lost) * key_lost
        return products + (score.abs() + products) * 1.01 * BF16_ROUNDING + _SUM_ERROR

    def _rows_at_once(self, groups: list[Group]) -> int:
        """Tied queries handled together, in the space that the scores take anyway."""
        cells = sum(group.shape[0] * group.shape[2] for group in groups)
        space = sum(group.values.numel() for group in groups)
        return max(1, space // (cells * 40))

    def _exact(self, groups: list[Group], queries: Tensor) -> Slots:
        """Slots of some queries of a block from all their scores, ties resolved."""
        parts = [group.rows_of(queries) for group in groups]
        values = torch.cat([part[0] for part in parts], dim=1)
        index = torch.cat([part[1] for part in parts])
        copies = torch.cat([part[2] for part in parts], dim=1)
        index, order = index.sort()
        return exact_slots(values[:, order], index, copies[:, order], self.rule)


def _best_of(
    groups: list[Group], num: int, queries: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The ``num`` best keys of all groups, descending, and a bound on the others."""
    found = [group.candidates(num, queries) for group in groups]
    values = torch.cat([part[0] for part in found], dim=1)
    index = torch.cat([part[1] for part in found], dim=1)
    rest = torch.stack([part[2] for part in found]).amax(0)
    best, place = values.topk(min(num, values.shape[1]), dim=1)
    if values.shape[1] > num:
        rest = torch.maximum(rest, best[:, -1])
    return best, index.gather(1, place), rest
