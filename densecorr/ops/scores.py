"""Affinities of one block of queries with one group of key frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .keys import Keys
from .window import Window

_FOLD_ABOVE = 1024  # cells: below, ranking them directly is as fast as folding
_CONVERT = 4096  # key positions converted at a time where the store is half precision


@dataclass(frozen=True)
class Block:
    """Queries that are handled together.

    Attributes:
        query: ``(q, c)`` float32 features.
        rows: ``(q,)`` rows on the grid.
        cols: ``(q,)`` columns.
    """

    query: Tensor
    rows: Tensor
    cols: Tensor


@dataclass
class Group:
    """Key frames that a block scores alike.

    Attributes:
        keys: the memory.
        frames: its frames in this group.
        block: the queries.
        area: ``(y0, y1, x0, x1)`` of the key positions that are scored.
        window: which positions are near.
        restricted: only near positions are seen; otherwise all are.
        values: ``(t, q, cells)`` scores before the window is applied.
    """

    keys: Keys
    frames: Sequence[int]
    block: Block
    area: tuple[int, int, int, int]
    window: Window
    restricted: bool
    values: Tensor = field(init=False)
    _best: Tensor = field(init=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, queries, cells."""
        y0, y1, x0, x1 = self.area
        return len(self.frames), len(self.block.query), (y1 - y0) * (x1 - x0)

    def cell_positions(self) -> Tensor:
        """Position on the key grid of every cell, ``(cells,)`` int64, ascending."""
        y0, y1, x0, x1 = self.area
        device = self.block.query.device
        down = torch.arange(y0, y1, device=device) * self.keys.grid[1]
        return (down[:, None] + torch.arange(x0, x1, device=device)).flatten()

    def near(self, queries: Tensor | None = None) -> Tensor:
        """Window of the block, ``(q, cells)`` bool.

        ``queries`` ``(u,)`` are the places in the block that are asked for.
        """
        y0, y1, x0, x1 = self.area
        device = self.block.query.device
        down = torch.arange(y0, y1, device=device, dtype=torch.int32)
        across = torch.arange(x0, x1, device=device, dtype=torch.int32)
        rows, cols = self.block.rows.int(), self.block.cols.int()
        if queries is not None:
            rows, cols = rows[queries], cols[queries]
        dy = down[None, :, None] - rows[:, None, None]
        dx = across[None, None, :] - cols[:, None, None]
        return self.window.contains(dy, dx).flatten(1)

    def index_of(self, frames: Tensor, cells: Tensor) -> Tensor:
        """Key index of (place in ``frames``, cell) pairs."""
        h, w = self.keys.grid
        table = torch.tensor(list(self.frames), device=cells.device)
        return table[frames] * (h * w) + self.cell_positions()[cells]

    def score(self, sources: Iterable[Tensor], buffer: Tensor) -> None:
        """Multiply the queries with every frame's ``(cells, c)`` key features.

        The products have the precision of ``buffer``, a flat work space that
        ``values`` becomes a view of. Sources of that precision are ready; others are
        converted piece by piece.
        """
        t, q, cells = self.shape
        self.values = buffer[: t * q * cells].view(t, q, cells)
        query = self.block.query.to(buffer.dtype)
        for place, source in enumerate(sources):
            _multiply(query, source, self.values[place], self.keys.center)
            if place == 1:
                self._best = torch.maximum(self.values[0], self.values[1])
            elif place > 1:
                torch.maximum(self._best, self.values[place], out=self._best)
        if t == 1:
            self._best = (
                self.values[0] if self.window is None else self.values[0].clone()
            )

    def candidates(
        self, num: int, queries: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The ``num`` best cells over all frames, with every frame's score there.

        The ``num`` best keys lie in the ``num`` cells whose maximum over the frames is
        largest, so one pass over the scores and a ranking of the cells are enough.

        Args:
            num: cells kept.
            queries: ``(u,)`` places in the block; all by default.

        Returns:
            ``(q, d)`` float32 values (``-inf`` where not allowed), ``(q, d)`` int64
            key indices, and ``(q,)`` float32: no key left out is better than this.
        """
        allowed = self.near(queries) if self.restricted else None
        best, values = self._best, self.values
        if queries is not None:
            best, values = best[queries], values[:, queries]
        t, cells = len(values), best.shape[1]
        if allowed is not None:
            best.masked_fill_(~allowed, -torch.inf)
        best, fold = _fold(best, t, num)
        count = min(num, best.shape[1])
        top, column = best.float().topk(count, dim=1)
        rest = top[:, -1].clone()
        if count == best.shape[1]:
            rest.fill_(-torch.inf)
        if fold > 1:  # a column holds the cells column, column + width, ...
            width = best.shape[1]
            steps = torch.arange(fold, device=top.device) * width
            cell = (column[:, None, :] + steps[:, None]).flatten(1)  # (q, fold * count)
            outside = cell >= cells
            cell = cell.clamp_max(cells - 1)
            if allowed is not None:
                outside |= ~allowed.gather(1, cell)
        else:
            cell, outside = column, top == -torch.inf
        found = values.gather(2, cell.expand(t, -1, -1)).float()  # (t, q, d)
        found.masked_fill_(outside, -torch.inf)
        frames = torch.arange(t, device=top.device)[:, None, None].expand_as(found)
        index = self.index_of(frames, cell.expand(t, -1, -1))
        return _by_query(found), _by_query(index), rest

    def rows_of(self, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All scores of some queries of the block, exact in float32.

        Args:
            queries: ``(u,)`` places in the block.

        Returns:
            ``(u, t * cells)`` float32 values, ``(t * cells,)`` key indices, ``(u, t *
            cells)`` int64 copies, 0 where a key is not allowed.
        """
        t, _, cells = self.shape
        if hasattr(self, 'values') and self.values.dtype == torch.float32:
            values = self.values[:, queries]
        else:  # rounded, or never kept
            values = torch.empty(t, len(queries), cells, device=self.block.query.device)
            for place, frame in enumerate(self.frames):
                source = area_feats(self.keys, frame, self.area)
                _multiply(self.block.query[queries], source, values[place], None)
        device = self.block.query.device
        frames = torch.arange(t, device=device).repeat_interleave(cells)
        index = self.index_of(frames, torch.arange(cells, device=device).repeat(t))
        near = self.near(queries)
        copies = [
            torch.where(near, self.keys.near[f], self.keys.far[f]) for f in self.frames
        ]
        return _by_query(values), index, torch.cat(copies, dim=1)


def area_feats(keys: Keys, frame: int, area: tuple[int, int, int, int]) -> Tensor:
    """Features of a rectangle of key positions, ``(cells, c)``; a view if it can be."""
    y0, y1, x0, x1 = area
    return keys.feats[frame, y0:y1, x0:x1].reshape(-1, keys.feats.shape[-1])


def ready(feats: Tensor, dtype: torch.dtype, center: Tensor | None) -> Tensor:
    """Key features for products in ``dtype``: centred where they are rounded."""
    if center is not None and dtype == torch.bfloat16:
        feats = feats.float() - center
    return feats.to(dtype)


def _multiply(
    query: Tensor, source: Tensor, out: Tensor, center: Tensor | None
) -> None:
    """``query @ source.T`` into ``out``, in the precision of ``query``."""
    if source.dtype == query.dtype:
        torch.mm(query, source.t(), out=out)
        return
    for start in range(0, len(source), _CONVERT):
        piece = ready(source[start : start + _CONVERT], query.dtype, center)
        out[:, start : start + _CONVERT] = query @ piece.t()


def _fold(best: Tensor, frames: int, num: int) -> tuple[Tensor, int]:
    """Maxima of interleaved cells, so that fewer of them are ranked."""
    cells = best.shape[1]
    fold = round((cells / (frames * num)) ** 0.5)
    if cells <= _FOLD_ABOVE or fold < 4:
        return best, 1
    divisors = [f for f in range(fold, 2 * fold) if cells % f == 0]
    if divisors:
        fold = divisors[0]
    else:
        padding = -cells % fold
        best = torch.nn.functional.pad(best, (0, padding), value=-torch.inf)
    return best.view(len(best), fold, -1).amax(1), fold


def _by_query(values: Tensor) -> Tensor:
    """``(t, q, d)`` to ``(q, t * d)``."""
    return values.transpose(0, 1).reshape(values.shape[1], -1)
