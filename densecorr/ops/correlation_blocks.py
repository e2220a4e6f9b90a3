"""Blocks of queries and the keys around them, for correlation in windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_SIDES = {'cpu': 8}  # of a block of queries, by kind of device
_SIDE = 32  # elsewhere: few large products
_SAMPLES = 4  # whose blocks are computed together, so that they stay in the cache


@dataclass(frozen=True)
class Block:
    """Queries of a rectangle and the keys that one of them may see, in positions.

    Attributes:
        rows: first and last row (exclusive) of the queries.
        cols: their columns.
        key_rows: rows of the keys, multiples of the cell.
        key_cols: their columns.
        cell: side of a cell.
        reach: of the windows, in cells.
    """

    rows: tuple[int, int]
    cols: tuple[int, int]
    key_rows: tuple[int, int]
    key_cols: tuple[int, int]
    cell: int
    reach: int

    def queries(self, maps: Tensor) -> Tensor:
        """View of ``(b, h, w, c)`` maps at the queries."""
        return maps[:, slice(*self.rows), slice(*self.cols)]

    def keys(self, maps: Tensor) -> Tensor:
        """View of ``(b, h, w, c)`` maps at the keys."""
        return maps[:, slice(*self.key_rows), slice(*self.key_cols)]

    def windows(self, windows: Tensor) -> Tensor:
        """View of ``(b, h / cell, w / cell, d, d)`` windows at the queries."""
        rows, cols = (
            slice(ends[0] // self.cell, ends[1] // self.cell)
            for ends in (self.rows, self.cols)
        )
        return windows[:, rows, cols]

    def bias(self, radius: int, like: Tensor) -> Tensor:
        """0 where a key is seen and -inf elsewhere, ``(queries, keys)``."""
        sides = []
        for own, keys in ((self.rows, self.key_rows), (self.cols, self.key_cols)):
            near = torch.arange(*keys, device=like.device)
            far = (
                near - torch.arange(*own, device=like.device)[:, None]
            ).abs() > radius
            sides.append(like.new_zeros(far.shape).masked_fill_(far, -torch.inf))
        bias = sides[0][:, None, :, None] + sides[1][None, :, None, :]
        return bias.flatten(0, 1).flatten(1)

    def pooled(self, affinity: Tensor) -> Tensor:
        """``(b, queries, keys)`` to cells, ``(b, rows, cols, key rows, key cols)``."""
        sizes = [
            end - start
            for start, end in (self.rows, self.cols, self.key_rows, self.key_cols)
        ]
        if self.cell == 1:
            return affinity.view(-1, *sizes)
        h, w, key_h, key_w = (size // self.cell for size in sizes)
        side = self.cell
        cells = affinity.view(-1, h, side, w, side, sizes[2] * sizes[3])
        cells = _summed(_summed(cells, 4), 2) / side**2  # (b, h, w, keys)
        cells = cells.view(-1, h, w, key_h, side, key_w, side)
        return _summed(_summed(cells, 4), 5)

    def unpooled(self, cells: Tensor) -> Tensor:
        """Gradient of :meth:`pooled`: of cells to ``(b, queries, keys)``."""
        if self.cell > 1:
            side = self.cell
            b, *sizes = cells.shape
            cells = cells[:, :, None, :, None, :, None, :, None] / side**2
            sides = [number for size in sizes for number in (size, side)]
            cells = cells.expand(b, *sides)
        queries = (self.rows[1] - self.rows[0]) * (self.cols[1] - self.cols[0])
        return cells.reshape(len(cells), queries, -1)

    def gather(self, cells: Tensor) -> Tensor:
        """Windows of the queries, 0 outside the map: ``(b, rows, cols, d, d)``."""
        return self._diagonal(F.pad(cells, self._margins()))

    def scatter(self, windows: Tensor) -> Tensor:
        """Gradient of :meth:`gather`."""
        b, h, w, _, _ = windows.shape
        reach = 2 * self.reach
        full = windows.new_zeros(b, h, w, h + reach, w + reach)
        self._diagonal(full).copy_(windows)
        left, right, top, bottom = self._margins()
        return full[..., top : h + reach - bottom, left : w + reach - right]

    def _margins(self) -> list[int]:
        """Cells that the windows reach beyond the map: left, right, top, bottom."""
        margins = []
        for own, keys in ((self.cols, self.key_cols), (self.rows, self.key_rows)):
            margins.append(self.reach - (own[0] - keys[0]) // self.cell)
            margins.append(self.reach - (keys[1] - own[1]) // self.cell)
        return margins

    def _diagonal(self, padded: Tensor) -> Tensor:
        """View of the window of each query in the keys around all of them."""
        b, h, w, *_ = padded.shape
        side = 2 * self.reach + 1
        steps = padded.stride()
        return padded.as_strided(
            (b, h, w, side, side),
            (steps[0], steps[1] + steps[3], steps[2] + steps[4], *steps[3:]),
        )


def blocks_of(maps: Tensor, radius: int, cell: int = 1) -> Iterator[Block]:
    """Rectangles of queries that cover ``(b, h, w, c)`` maps."""
    h, w = maps.shape[1:3]
    side = _SIDES.get(maps.device.type, _SIDE)
    side = max(1, side // cell) * cell
    reach = (radius + cell - 1) // cell
    for top in range(0, h, side):
        rows = (top, min(top + side, h))
        for left in range(0, w, side):
            cols = (left, min(left + side, w))
            keys = [
                (max(0, first - reach * cell), min(size, last + reach * cell))
                for (first, last), size in ((rows, h), (cols, w))
            ]
            yield Block(rows, cols, keys[0], keys[1], cell, reach)


def samples_of(*maps: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Some samples of every map at a time, views."""
    yield from zip(*(each.split(_SAMPLES) for each in maps), strict=True)


def _summed(values: Tensor, axis: int) -> Tensor:
    """Sum over a short axis: slices are added much faster than ``sum`` reduces it."""
    total = values.select(axis, 0)
    for place in range(1, values.shape[axis]):
        total = total + values.select(axis, place)
    return total
