"""The best keys of every key frame, found once; top-k selections from them many times.

Only features decide which keys a query selects. With the best keys of every frame
inside the largest window at hand, the selection of any smaller window, any frames and
any k is a merge of short lists. It is exact, and known to be, where its last value
exceeds that of every key that was left out of the lists; other queries are searched
again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from .keys import Keys, query_positions
from .plan import Problem, blocks_of, parse_bytes, plan_blocks, reach_of
from .precision import full_precision
from .scores import Block, Group, area_feats, ready
from .selection import Rule, Slots, exact_slots, fill_slots, in_order, ties_at_rank
from .window import Window, grid_positions

_BYTES_PER_SCORE = 64  # of a query that is searched again, per key


@dataclass(frozen=True)
class Neighbours:
    """The best keys of some queries of a frame.

    Attributes:
        ids: ``(q,)`` int64 positions of the queries.
        block: their features and where they lie.
        frames: rows of the key features, one per entry of the axis ``m`` below.
        grid: ``(h, w)`` of the key frames.
        values: ``(q, m, s)`` float32 affinities, descending in every frame; ``-inf``
            where a frame has fewer keys.
        cells: ``(q, m, s)`` int32 positions ``row * w + column`` of the keys.
        rest: ``(q, m)`` float32: no key of the frame that was left out exceeds it;
            ``-inf`` where none was.
    """

    ids: Tensor
    block: Block
    frames: tuple[int, ...]
    grid: tuple[int, int]
    values: Tensor
    cells: Tensor
    rest: Tensor
    _near: dict[Window, Tensor] = field(default_factory=dict, repr=False)

    def near(self, window: Window) -> Tensor:
        """Whether each key lies in a window, ``(q, m, s)`` bool; kept for later."""
        if window not in self._near:
            dy, dx = self._offsets
            self._near[window] = window.contains(dy, dx)
        return self._near[window]

    @cached_property
    def _offsets(self) -> tuple[Tensor, Tensor]:
        w = self.grid[1]
        down = torch.div(self.cells, w, rounding_mode='floor')
        across = self.cells - down * w
        rows, cols = self.block.rows.int(), self.block.cols.int()
        return down - rows[:, None, None], across - cols[:, None, None]


@dataclass(frozen=True)
class View:
    """The memory as one setting sees it.

    Args:
        frames: rows of the key features.
        places: of each, its place in the setting's own labels: a key has the index
            ``place * h * w + position``, and equal keys are taken in that order.
        near: copies of each inside the window.
        far: copies outside.
        window: of the setting, inside the one that was searched.
    """

    frames: tuple[int, ...]
    places: tuple[int, ...]
    near: tuple[int, ...]
    far: tuple[int, ...]
    window: Window

    @property
    def single(self) -> bool:
        """Whether every key inside the window counts once, and no other does."""
        return max(self.near) <= 1 and not any(self.far)


@dataclass(frozen=True)
class Selected:
    """Slots for one k.

    Attributes:
        topk: the k.
        pieces: places in the block, ``(u,)``, or None for all, and their slots. Later
            pieces replace what earlier ones say about a query.
        unproven: queries of which the lists did not prove the slots.
    """

    topk: int
    pieces: list[tuple[Tensor | None, Slots]]
    unproven: int


@torch.no_grad()
@full_precision
def nearest(
    query: Tensor, keys: Keys, window: Window, number: int, max_memory: int | str
) -> Iterator[Neighbours]:
    """The ``number`` best keys of each key frame, a block of queries at a time.

    Args:
        query: ``(h, w, c)`` features.
        keys: the memory; copies say only which frames are used, and which of them
            (``far > 0``) are searched outside the window, too.
        window: the largest that will be asked for.
        number: keys kept per query and frame, at least 1.
        max_memory: bound on what is allocated beyond the features, bytes or
            ``'512MB'``; smaller bounds give smaller blocks.

    Raises:
        ValueError: ``number`` is below 1, or nothing fits into ``max_memory``.
    """
    if number < 1:
        raise ValueError(f'number of neighbours is {number}; give at least 1.')
    h, w = keys.grid
    problem = Problem(
        query=(query.shape[0], query.shape[1]),
        keys=keys.grid,
        channels=query.shape[2],
        windowed=len(keys.windowed_frames()),
        unrestricted=len(keys.global_frames()),
        window=window,
        topk=number,
        stored=keys.feats.element_size(),
    )
    plan = plan_blocks(problem, parse_bytes(max_memory))
    rows, cols = query_positions(query)
    flat = query.float().flatten(0, 1)
    if plan.dense:
        for start, end in blocks_of(len(flat), plan.cols):
            ids = torch.arange(start, end, device=query.device)
            block = Block(flat[ids], rows[ids], cols[ids])
            yield _of_block(ids, block, keys, window, (0, h, 0, w), number)
        return
    for left, right in blocks_of(w, plan.cols):
        x0, x1 = reach_of(left, right, window.reach, w)
        for top, bottom in blocks_of(h, plan.rows):
            y0, y1 = reach_of(top, bottom, window.reach, h)
            down = torch.arange(top, bottom, device=query.device) * w
            across = torch.arange(left, right, device=query.device)
            ids = (down[:, None] + across).flatten()
            block = Block(flat[ids], rows[ids], cols[ids])
            yield _of_block(ids, block, keys, window, (y0, y1, x0, x1), number)


def _of_block(
    ids: Tensor,
    block: Block,
    keys: Keys,
    window: Window,
    area: tuple[int, int, int, int],
    number: int,
) -> Neighbours:
    """Search every frame in use for the queries of a block."""
    h, w = keys.grid
    near, far = keys.windowed_frames(), keys.global_frames()
    frames = tuple(sorted(near + far))
    shape = (len(ids), len(frames), number)
    values = block.query.new_full(shape, -torch.inf)
    cells = torch.zeros(shape, dtype=torch.int32, device=ids.device)
    rest = block.query.new_full(shape[:2], -torch.inf)
    restricted = window.shape != 'none'
    windowed = Group(keys, near, block, area, window, restricted)
    whole = Group(keys, far, block, (0, h, 0, w), window, False)
    outside = ~windowed.near() if near and restricted else None
    for place, frame in enumerate(frames):
        group, closed = (whole, None) if frame in far else (windowed, outside)
        source = ready(area_feats(keys, frame, group.area), torch.float32, None)
        scores = block.query @ source.t()  # (q, cells)
        if closed is not None:
            scores.masked_fill_(closed, -torch.inf)
        count = min(number + 1, scores.shape[1])
        best, column = scores.topk(count, dim=1)
        kept = min(number, count)
        values[:, place, :kept] = best[:, :kept]
        cells[:, place, :kept] = group.cell_positions()[column[:, :kept]].int()
        if count > number:
            rest[:, place] = best[:, number]
    return Neighbours(ids, block, frames, keys.grid, values, cells, rest)


@torch.no_grad()
@full_precision
def select(
    found: Neighbours,
    keys: Keys,
    view: View,
    topks: Sequence[int],
    ties: str = 'lowest',
    max_memory: int | str = '512MB',
) -> Iterator[Selected]:
    """The slots of one setting's memory and window for several k.

    Equal to those that :func:`densecorr.ops.propagate.topk_slots` finds in a memory
    whose frames lie in the order of ``view.places``.

    Args:
        found: of :func:`nearest`.
        keys: that they were found in, for queries that are searched again.
        view: frames, copies and window.
        topks: numbers of slots, ascending.
        ties: see :class:`densecorr.ops.selection.Rule`.
        max_memory: bound on what a second search allocates.

    Raises:
        ValueError: a frame of the view was not searched.
    """
    missing = sorted(set(view.frames) - set(found.frames))
    if missing:
        raise ValueError(
            f'frames {missing} were not searched; the neighbours have {found.frames}.'
        )
    merged = _merge(found, view, topks[-1])
    limit = parse_bytes(max_memory)
    if ties == 'lowest':  # a shorter selection is the start of a longer one
        yield from _prefixes(merged, found, keys, view, topks, limit)
        return
    for topk in topks:
        unproven = merged.unproven(topk)
        again = unproven | ties_at_rank(merged.values, merged.copies, topk, ties)
        pieces: list[tuple[Tensor | None, Slots]] = [(None, merged.slots(topk))]
        rule = Rule(topk, ties=ties)
        pieces += _searched_again(found, keys, view, rule, again, limit)
        yield Selected(topk, pieces, int(unproven.sum()))


@dataclass(frozen=True)
class _Merged:
    """Distinct keys of all lists together, ``(q, d)``, best first, equal ones by index.

    ``values``, ``index`` (of the setting's labels), ``copies``; ``rest`` ``(q,)``
    bounds the keys that are in no list; ``longest`` are the slots for the largest k.
    """

    values: Tensor
    index: Tensor
    copies: Tensor
    rest: Tensor
    longest: Slots

    def slots(self, topk: int) -> Slots:
        values, index = self.longest.values, self.longest.index
        return Slots(values[:, :topk].contiguous(), index[:, :topk].contiguous())

    def unproven(self, topk: int) -> Tensor:
        last = self.longest.values[:, topk - 1]
        return (last <= self.rest) & (self.rest > -torch.inf)


def _merge(found: Neighbours, view: View, topk: int) -> _Merged:
    device = found.values.device
    columns = torch.tensor([found.frames.index(f) for f in view.frames], device=device)
    every = len(view.frames) == len(found.frames) and view.frames == found.frames
    values, near = found.values, found.near(view.window)
    if not every:
        values, near = values[:, columns], near[:, columns]
    seen = near
    if any(view.far):
        whole = torch.tensor([f > 0 for f in view.far], device=device)
        seen = near | whole[:, None]
    values = values.masked_fill(~seen, -torch.inf).flatten(1)  # (q, m * s)
    best, place = values.topk(min(topk + 1, values.shape[1]), dim=1)
    number = found.values.shape[2]
    frame = torch.div(place, number, rounding_mode='floor')  # of the view, (q, d)
    slot = columns[frame] * number + place % number
    cell = found.cells.flatten(1).gather(1, slot).long()
    n = found.grid[0] * found.grid[1]
    places = torch.tensor(view.places, device=device)
    index = places[frame] * n + cell
    best, index = in_order(best, index)
    copies = torch.ones_like(index)
    if not view.single:  # once more from the index, whose order may have changed
        frame_of = torch.zeros(int(places.max()) + 1, dtype=torch.long, device=device)
        frame_of[places] = torch.arange(len(places), device=device)
        frame = frame_of[torch.div(index, n, rounding_mode='floor')]
        table = torch.tensor([view.far, view.near], device=device)
        copies = table[_inside(found, view.window, index % n).long(), frame]
    slots = fill_slots(best, index, copies, topk)
    rest = found.rest if every else found.rest[:, columns]
    return _Merged(best, index, copies, rest.amax(1), slots)


def _inside(found: Neighbours, window: Window, cells: Tensor) -> Tensor:
    """Whether ``(q, d)`` positions lie in the window of their query."""
    w = found.grid[1]
    down = torch.div(cells, w, rounding_mode='floor') - found.block.rows[:, None]
    return window.contains(down, cells % w - found.block.cols[:, None])


def _prefixes(
    merged: _Merged,
    found: Neighbours,
    keys: Keys,
    view: View,
    topks: Sequence[int],
    limit: int,
) -> Iterator[Selected]:
    """Slots for all k out of those for the largest."""
    longest = topks[-1]
    again = merged.unproven(longest)
    again |= ties_at_rank(merged.values, merged.copies, longest, 'lowest')
    unproven = [int(merged.unproven(topk).sum()) for topk in topks]
    rule, slots = Rule(longest), merged.longest
    for some, exact in _searched_again(found, keys, view, rule, again, limit):
        slots.values[some], slots.index[some] = exact.values, exact.index
    for topk, count in zip(topks, unproven, strict=True):
        yield Selected(topk, [(None, merged.slots(topk))], count)


def _searched_again(
    found: Neighbours, keys: Keys, view: View, rule: Rule, again: Tensor, limit: int
) -> Iterator[tuple[Tensor, Slots]]:
    """Slots of the queries in ``again`` by the definition, some at a time."""
    h, w = found.grid
    queries = again.nonzero()[:, 0]
    if not len(queries):
        return
    order = sorted(range(len(view.frames)), key=lambda i: view.places[i])
    n = h * w
    cells = torch.arange(n, device=queries.device)
    index = torch.cat([view.places[i] * n + cells for i in order])
    down, across = grid_positions(h, w, queries.device)
    step = max(1, limit // (len(index) * _BYTES_PER_SCORE))
    for some in queries.split(step):
        block = found.block
        near = view.window.contains(
            down - block.rows[some][:, None], across - block.cols[some][:, None]
        )  # (u, n)
        values, copies = [], []
        for i in order:
            source = keys.feats[view.frames[i]].flatten(0, 1).float()
            values.append(block.query[some] @ source.t())
            copies.append(torch.where(near, view.near[i], view.far[i]))
        slots = exact_slots(torch.cat(values, 1), index, torch.cat(copies, 1), rule)
        yield some, slots
