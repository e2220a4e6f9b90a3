"""Affinity, window and running top-k in one Triton kernel.

No affinity reaches the memory: a program keeps the best keys of its block of queries
while it walks over the key frames. Imported only where Triton is, see
:func:`densecorr.ops.kernels.fused_problem`.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs
# The arguments of a kernel are pointers and numbers that only Triton knows.

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from densecorr.ops.keys import Keys
from densecorr.ops.window import Window

BLOCK = (8, 8)  # rows and columns of queries that a program handles
_CELLS = 64  # key positions scored at a time
_CHANNELS = 64  # channels multiplied at a time
_WARPS = 8
_NO_KEY = tl.constexpr(-(2**63))  # below every packed key
_INDEX = 2**32 - 1  # largest index that the lower half of a packed key holds
_INDEX_BITS = tl.constexpr(_INDEX)
_SHAPES = {'none': 0, 'square': 1, 'circle': 2}


@triton.jit
def _pack(scores, index, allowed):
    """Score and key in one integer: larger is better, equal scores by lowest index."""
    bits = (scores + 0.0).to(tl.int32, bitcast=True)  # + 0.0: -0 equals 0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    packed = (ordered.to(tl.int64) << 32) | (_INDEX_BITS - index.to(tl.int64))
    return tl.where(allowed, packed, _NO_KEY)


@triton.jit
def _merge(best, packed):
    """Take the keys of a tile that are better than the worst of those kept.

    One key of every query goes in at a time, so that the work shrinks as the lists
    fill with good keys: sorting the tiles would cost the same every time.
    """
    worst = tl.min(best, axis=1)
    found = tl.max(packed, axis=1)
    while tl.max((found > worst).to(tl.int32), axis=0) > 0:
        taken = (found > worst)[:, None] & (best == worst[:, None])
        best = tl.where(taken, found[:, None], best)
        packed = tl.where(packed == found[:, None], _NO_KEY, packed)
        worst = tl.min(best, axis=1)
        found = tl.max(packed, axis=1)
    return best


@triton.jit
def _scores(
    query,
    keys,
    center,
    query_at,
    key_at,
    is_query,
    is_key,
    channels,
    CENTERED: tl.constexpr,
    CHANNELS: tl.constexpr,
    QUERIES: tl.constexpr,
    CELLS: tl.constexpr,
):
    """Products of a block of queries with a tile of keys, float32."""
    total = tl.zeros([QUERIES, CELLS], dtype=tl.float32)
    for start in range(0, channels, CHANNELS):
        c = start + tl.arange(0, CHANNELS)
        has = c < channels
        q = tl.load(
            query + query_at[:, None] * channels + c[None, :],
            mask=is_query[:, None] & has[None, :],
            other=0.0,
        )
        k = tl.load(
            keys + key_at[:, None] * channels + c[None, :],
            mask=is_key[:, None] & has[None, :],
            other=0.0,
        ).to(tl.float32)
        if CENTERED:
            k -= tl.load(center + c, mask=has, other=0.0)[None, :]
        k = k.to(q.dtype)
        total = tl.dot(q, tl.trans(k), total, input_precision='ieee')
    return total


@triton.jit
def _search(
    query,
    keys,
    center,
    frames,
    restricted,
    out,
    num_frames,
    query_h,
    query_w,
    key_h,
    key_w,
    channels,
    reach,
    limit,
    SHAPE: tl.constexpr,
    INCLUSIVE: tl.constexpr,
    CENTERED: tl.constexpr,
    KEPT: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
    CELLS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """Packed best keys of one block of queries."""
    QUERIES: tl.constexpr = ROWS * COLS
    top = tl.program_id(0) * ROWS
    left = tl.program_id(1) * COLS
    place = tl.arange(0, QUERIES)
    rows = top + place // COLS
    cols = left + place % COLS
    is_query = (rows < query_h) & (cols < query_w)
    query_at = (rows * query_w + cols).to(tl.int64)
    # Places differ in the beginning, too: the worst of them is one place.
    best = tl.zeros([QUERIES, KEPT], dtype=tl.int64) + _NO_KEY
    best += tl.arange(0, KEPT)[None, :]
    for number in range(num_frames):
        frame = tl.load(frames + number).to(tl.int64)
        near_only = tl.load(restricted + number) != 0
        y0 = tl.where(near_only, tl.maximum(top - reach, 0), 0)
        y1 = tl.where(near_only, tl.minimum(top + ROWS + reach, key_h), key_h)
        x0 = tl.where(near_only, tl.maximum(left - reach, 0), 0)
        x1 = tl.where(near_only, tl.minimum(left + COLS + reach, key_w), key_w)
        wide = x1 - x0
        num_cells = (y1 - y0) * wide
        for start in range(0, num_cells, CELLS):
            cell = start + tl.arange(0, CELLS)
            y = y0 + cell // wide
            x = x0 + cell % wide
            is_key = cell < num_cells
            index = frame * key_h * key_w + y * key_w + x
            allowed = is_query[:, None] & is_key[None, :]
            dy = y[None, :] - rows[:, None]
            dx = x[None, :] - cols[:, None]
            if SHAPE == 2:
                distance = (dy * dy + dx * dx).to(tl.float32)
            else:
                distance = tl.maximum(tl.abs(dy), tl.abs(dx)).to(tl.float32)
            near = distance <= limit if INCLUSIVE else distance < limit
            allowed &= near | (near_only == 0)
            scores = _scores(
                query, keys, center, query_at, index, is_query, is_key, channels,
                CENTERED, CHANNELS, QUERIES, CELLS,
            )  # fmt: skip
            best = _merge(best, _pack(scores, index[None, :], allowed))
    at = query_at[:, None] * KEPT + tl.arange(0, KEPT)[None, :]
    tl.store(out + at, best, mask=is_query[:, None])


def fused_candidates(
    query: Tensor, keys: Keys, window: Window, num: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """The best keys of every query over all key frames.

    Args:
        query: ``(h, w, c)`` float32 features.
        keys: the memory.
        window: restriction of the frames that have one.
        num: keys kept per query.
        dtype: of the products, float32 or bfloat16; sums are float32.

    Returns:
        ``(h * w, num)`` float32 values, descending, ``-inf`` where no key is left;
        ``(h * w, num)`` int64 key indices, those of equal values ascending;
        ``(h * w,)`` float32: no key left out is better than this.

    Raises:
        ValueError: more keys than an index of 32 bits can name.
    """
    if keys.feats.shape[:3].numel() > _INDEX:
        raise ValueError(
            f'{keys.feats.shape[:3].numel()} keys are more than the fused kernel can '
            "number, 2**32 - 1. Take method='windowed', or fewer frames of context."
        )
    (h, w, c), kept = query.shape, max(2, triton.next_power_of_2(num))
    used = [i for i, near in enumerate(keys.near) if near]
    windowed = [int(not keys.far[i] and window.shape != 'none') for i in used]
    table: Any = torch.tensor([used, windowed], dtype=torch.int32, device=query.device)
    out = torch.empty(h * w, kept, dtype=torch.int64, device=query.device)
    centered = keys.center is not None and dtype == torch.bfloat16
    center = keys.center if centered else query  # any pointer where it is not read
    limit = window.radius**2 if window.shape == 'circle' else window.radius
    grid = (triton.cdiv(h, BLOCK[0]), triton.cdiv(w, BLOCK[1]))
    _search[grid](
        query.to(dtype).contiguous(),
        keys.feats.contiguous(),
        center.contiguous() if center is not None else query,
        table[0],
        table[1],
        out,
        len(used),
        h,
        w,
        *keys.grid,
        c,
        window.reach,
        float(limit),
        SHAPE=_SHAPES[window.shape],
        INCLUSIVE=window.inclusive,
        CENTERED=centered,
        KEPT=kept,
        ROWS=BLOCK[0],
        COLS=BLOCK[1],
        CELLS=_CELLS,
        CHANNELS=_CHANNELS,
        num_warps=_WARPS,
    )
    return _unpack(out, num)


def _unpack(packed: Tensor, num: int) -> tuple[Tensor, Tensor, Tensor]:
    """Values, indices and the bound of packed keys, see :func:`fused_candidates`."""
    packed = packed.sort(dim=1, descending=True).values[:, :num]
    none = packed < _NO_KEY.value + 2**32
    ordered = (packed >> 32).int()
    bits = torch.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered)
    values = bits.view(torch.float32).masked_fill(none, -torch.inf)
    index = (_INDEX - (packed & _INDEX)).masked_fill(none, 0)
    return values, index, values[:, -1].clone()
