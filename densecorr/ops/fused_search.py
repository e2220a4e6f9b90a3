"""The search by the fused kernel: no block of affinities is ever stored."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import torch
from torch import Tensor

from .kernels import fused_problem
from .keys import Keys
from .plan import Plan, blocks_of
from .scores import Group
from .search import _SURVIVORS, Search
from .selection import Rule, Slots, in_order, ties_at_rank
from .window import Window

_BYTES_OF_CELL = 40  # of one key of one query that is computed again
_BYTES_OF_FOUND = 48  # of one kept key of one query, with what follows from it


class FusedSearch(Search):
    """:class:`Search` whose best keys come from a kernel.

    Equal scores come in the order of their indices, so that ties need no second look
    unless the rule keeps all of them.

    Args:
        query: ``(h, w, c)`` float32 features.
        keys: the memory.
        window: restriction of the frames that have one.
        rule: number of slots and treatment of ties; ``topk`` is a number here.
        limit: bytes for what the kernel's results are turned into.
        bfloat16: pre-select with bfloat16 products, then score in float32.

    Raises:
        ValueError: the kernel cannot run on the device of the query.
    """

    def __init__(
        self,
        query: Tensor,
        keys: Keys,
        window: Window,
        rule: Rule,
        limit: int,
        bfloat16: bool = False,
    ) -> None:
        problem = fused_problem(query.device)
        if problem:
            raise ValueError(
                f"method 'fused' cannot be used: {problem}. Take method='auto'."
            )
        self._kernel = import_module('densecorr.ops.kernels.fused_topk')
        self._limit = limit
        total, kept = query.shape[0] * query.shape[1], self._kept(rule, bfloat16)
        num_bytes = total * kept * _BYTES_OF_FOUND
        rows, cols = self._kernel.BLOCK
        plan = Plan(rows, cols, False, False, False, num_bytes, cost=0.0, fused=True)
        super().__init__(query, keys, window, rule, plan, bfloat16)

    @staticmethod
    def _kept(rule: Rule, bfloat16: bool) -> int:
        """One more key than asked for: it bounds those left out."""
        return (rule.topk or 1) * (_SURVIVORS[0] if bfloat16 else 1) + 1

    def blocks(self) -> Iterator[tuple[Tensor, Slots]]:
        """See :meth:`Search.blocks`."""
        kept = self._kept(self.rule, self.bfloat16)
        values, index, rest = self._kernel.fused_candidates(
            self.query, self.keys, self.window, kept, self._dtype
        )
        channels = (
            self.query.shape[-1] * 5 if self.bfloat16 else 0
        )  # gathered, rescored
        step = max(1, self._limit // (kept * (_BYTES_OF_FOUND + channels)))
        for start, end in blocks_of(self.statistics.queries, step):
            ids = torch.arange(start, end, device=self.query.device)
            part = slice(start, end)
            yield from self._slots(ids, values[part], index[part], rest[part])

    def _slots(
        self, ids: Tensor, values: Tensor, index: Tensor, rest: Tensor
    ) -> Iterator[tuple[Tensor, Slots]]:
        k = self._topk
        again = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        if self.bfloat16:
            values, index, again = self._rescore(ids, values, index, rest)
            values, index = values[:, : k + 1], index[:, : k + 1]
            self.statistics.uncertified += int(again.sum())
        if self.bfloat16 or self.rule.ties == 'all':
            copies = self._copies(ids, index)
            tied = ties_at_rank(values, copies, k, self.rule.ties) & ~again
            self.statistics.tied += int(tied.sum())
            again |= tied
        slots = self._to_slots(ids, *in_order(values, index), k)
        frames = self.keys.windowed_frames() + self.keys.global_frames()
        whole = (0, self.keys.grid[0], 0, self.keys.grid[1])
        group = self._group(ids, frames, whole, False)
        yield from self._finish(ids, [group], slots, again)

    def _rows_at_once(self, groups: list[Group]) -> int:
        cells = sum(group.shape[0] * group.shape[2] for group in groups)
        return max(1, self._limit // (cells * _BYTES_OF_CELL))
