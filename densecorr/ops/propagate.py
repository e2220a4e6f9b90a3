"""Label propagation: the heart of every evaluation, and of TimeT's loss.

Reference:
    Jabri et al., NeurIPS 2020, arXiv:2006.14613, Sec. 3 and the released
    ajabri/videowalk (047f3f4); Caron et al., ICCV 2021 (DINO),
    ``eval_video_segmentation.py`` ``label_propagation``. Which published system is
    which set of options: ``configs/_base_/protocols/``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .fused_search import FusedSearch
from .kernels import fused_problem
from .keys import Keys, query_positions
from .plan import Plan, Problem, blocks_of, parse_bytes, plan_blocks
from .precision import full_precision
from .search import Search, Statistics
from .selection import Rule, Slots, exact_slots, labels_of
from .window import Window, grid_positions

PRECISIONS = ('float32', 'bfloat16')
DEFAULT_MEMORY = '512MB'


@dataclass(frozen=True)
class Propagated:
    """Result of :func:`propagate`.

    Attributes:
        labels: ``(h, w, o)`` soft labels of the query frame.
        plan: block shape that was used, ``None`` where all keys were weighted.
        statistics: ties and certificates.
    """

    labels: Tensor
    plan: Plan | None
    statistics: Statistics


def problem_of(
    query: Tensor, keys: Keys, window: Window, rule: Rule, precision: str = 'float32'
) -> Problem:
    """Sizes that decide how to compute."""
    return Problem(
        query=(query.shape[0], query.shape[1]),
        keys=keys.grid,
        channels=query.shape[2],
        windowed=len(keys.windowed_frames()),
        unrestricted=len(keys.global_frames()),
        window=window,
        topk=rule.topk or 1,
        item=2 if precision == 'bfloat16' else 4,
        stored=keys.feats.element_size(),
    )


def _check(query: Tensor, keys: Keys, window: Window, precision: str) -> None:
    if query.ndim != 3 or query.shape[2] != keys.feats.shape[3]:
        raise ValueError(
            f'query is {tuple(query.shape)}; it should be (h, w, c) with c='
            f'{keys.feats.shape[3]}, the channels of the keys.'
        )
    if window.shape != 'none' and tuple(query.shape[:2]) != keys.grid:
        raise ValueError(
            f'queries on a {query.shape[0]}x{query.shape[1]} grid cannot be windowed '
            f'on keys of {keys.grid[0]}x{keys.grid[1]}. Resize the features, or take '
            "shape='none'."
        )
    if precision not in PRECISIONS:
        raise ValueError(f'precision is {precision!r}; it should be in {PRECISIONS}.')


@torch.no_grad()
@full_precision
def propagate(
    query: Tensor,
    keys: Keys,
    labels: Tensor,
    window: Window,
    rule: Rule,
    *,
    max_memory: int | str = DEFAULT_MEMORY,
    method: str = 'auto',
    precision: str = 'float32',
) -> Propagated:
    """Soft labels of a query frame from the labels of a memory of frames.

    For a query position: affinities (dot products of the features as they are given)
    with all keys that the window allows, the top-k of all key frames jointly, weights
    by ``rule``, the weighted sum of the keys' labels. All of it in float32, also under
    autocast.

    Args:
        query: ``(h, w, c)`` features; of length 1 for cosine affinity.
        keys: the memory.
        labels: ``(m * h * w, o)`` soft labels of all keys, row-major.
        window: restriction of the frames that have one.
        rule: slots, temperature, ties, weights.
        max_memory: bound on what is allocated beyond features and labels, bytes or
            ``'512MB'``.
        method: ``'auto'`` takes the kernel, ``'fused'``, on CUDA where Triton is, and
            else the cheaper of ``'dense'`` and ``'windowed'``.
        precision: ``'bfloat16'`` pre-selects with bfloat16 products, scores the
            survivors in float32 and computes again what it cannot prove.

    Raises:
        ValueError: shapes that do not fit, an unknown option, too small a bound.
    """
    _check(query, keys, window, precision)
    limit = parse_bytes(max_memory)
    if len(labels) != keys.feats.shape[:3].numel():
        raise ValueError(
            f'labels hold {len(labels)} keys, the memory {keys.feats.shape[:3].numel()}'
            '. Give one row per key position of every frame.'
        )
    h, w, _ = query.shape
    out = labels.new_empty(h * w, labels.shape[1])
    if rule.topk is None:
        statistics = Statistics(queries=h * w)
        for ids, weights in _all_weights(query, keys, window, rule, limit):
            out[ids] = weights.to(labels.dtype) @ labels
        return Propagated(out.view(h, w, -1), None, statistics)
    search = _search(query, keys, window, rule, limit, method, precision)
    for ids, slots in search.blocks():
        out[ids] = labels_of(labels, slots, rule)
    return Propagated(out.view(h, w, -1), search.plan, search.statistics)


@torch.no_grad()
@full_precision
def topk_slots(
    query: Tensor,
    keys: Keys,
    window: Window,
    rule: Rule,
    *,
    max_memory: int | str = DEFAULT_MEMORY,
    method: str = 'auto',
    precision: str = 'float32',
) -> Slots:
    """The slots of every query, ``(h * w, topk)``: arguments as :func:`propagate`.

    Raises:
        ValueError: as :func:`propagate`; or ``ties='all'``, where a query can have
            more than ``topk`` keys.
    """
    _check(query, keys, window, precision)
    if rule.ties == 'all' or rule.topk is None:
        raise ValueError(
            f"slots need ties='lowest' and a topk; the rule has ties={rule.ties!r}, "
            f'topk={rule.topk}.'
        )
    limit = parse_bytes(max_memory)
    search = _search(query, keys, window, rule, limit, method, precision)
    total = query.shape[0] * query.shape[1]
    values = query.new_empty(total, rule.topk)
    index = torch.empty(total, rule.topk, dtype=torch.long, device=query.device)
    for ids, slots in search.blocks():
        values[ids], index[ids] = slots.values, slots.index
    return Slots(values, index)


def _search(
    query: Tensor,
    keys: Keys,
    window: Window,
    rule: Rule,
    limit: int,
    method: str,
    precision: str,
) -> Search:
    bfloat16 = precision == 'bfloat16'
    kernel = query.is_cuda and not fused_problem(query.device)
    if method == 'fused' or (method == 'auto' and kernel):
        return FusedSearch(query.float(), keys, window, rule, limit, bfloat16)
    problem = problem_of(query, keys, window, rule, precision)
    plan = plan_blocks(problem, limit, method)
    return Search(query.float(), keys, window, rule, plan, bfloat16)


def _all_weights(
    query: Tensor, keys: Keys, window: Window, rule: Rule, limit: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Weights of every key, ``(q, m * n)``, some queries at a time."""
    flat = keys.feats.flatten(0, 2)
    rows, cols = query_positions(query)
    step = max(1, limit // (len(flat) * 64))
    every = torch.arange(len(flat), device=query.device)
    for start, end in blocks_of(len(rows), step):
        ids = torch.arange(start, end, device=query.device)
        values = query.flatten(0, 1)[ids].float() @ flat.float().t()
        index = every.expand(end - start, -1)
        copies = keys.copies(rows[ids], cols[ids], index, window)
        scaled = (values / rule.temperature).masked_fill(copies == 0, -torch.inf)
        if rule.weighting == 'softmax':
            weights = (scaled - scaled.amax(1, keepdim=True)).exp() * copies
            yield ids, weights / weights.sum(1, keepdim=True)
        else:
            yield ids, scaled.clamp_min(0).square() * copies


@full_precision
def slots_reference(
    query: Tensor, keys: Keys, window: Window, rule: Rule, queries: Tensor | None = None
) -> Slots:
    """The definition of the selection: all affinities at once, then rows.

    Args:
        query: as :func:`propagate`; so are ``keys``, ``window`` and ``rule``.
        keys: see :func:`propagate`.
        window: see :func:`propagate`.
        rule: see :func:`propagate`.
        queries: ``(q,)`` positions to compute; all by default.
    """
    rows, cols = query_positions(query)
    if queries is not None:
        rows, cols = rows[queries], cols[queries]
    wanted = query[rows, cols].float()
    flat = keys.feats.float().flatten(0, 2)
    values = wanted @ flat.t()  # (q, m * n)
    index = torch.arange(len(flat), device=query.device)
    key_rows, key_cols = grid_positions(*keys.grid, query.device)
    near = window.contains(key_rows - rows[:, None], key_cols - cols[:, None])
    counts = torch.tensor([keys.near, keys.far], dtype=torch.int16, device=near.device)
    parts = [torch.where(near, inside, outside) for inside, outside in counts.t()]
    copies = torch.cat(parts, dim=1)
    if rule.topk is None:
        rule = replace(rule, topk=int(copies.sum(1).max()))
    return exact_slots(values, index, copies, rule)


@torch.no_grad()
@full_precision
def propagate_reference(
    query: Tensor,
    keys: Keys,
    labels: Tensor,
    window: Window,
    rule: Rule,
    queries: Tensor | None = None,
) -> Tensor:
    """The definition of :func:`propagate`, ``(q, o)``; for tests and spot checks."""
    slots = slots_reference(query, keys, window, rule, queries)
    return labels_of(labels, slots, rule)
