"""How the queries of a frame are cut into blocks, within a bound on memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .window import Window

_SIDES = (2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96)
_CHUNKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
# Relative costs in nanoseconds that decide between block shapes. They were fitted to
# one core of a current x86 server; only their ratios matter, never a result.
_NS_PER_FLOP = 0.0105
_NS_PER_COPIED_BYTE = 0.15
_NS_PER_SCORE = 0.15
_NS_PER_CELL = 2.5  # window test and selection of one position of one query
_NS_PER_CALL = 10_000.0
_NS_PER_BLOCK = 2_000_000.0
_KEPT = 256  # plans: the frames of a video, and the clips of a batch, ask for few
_SHARE = 0.75  # of the bound: the rest is slack for the libraries' own buffers


@dataclass(frozen=True)
class Problem:
    """Sizes that a plan depends on.

    Args:
        query: ``(h, w)`` of the query frame.
        keys: ``(h, w)`` of the key frames.
        channels: of the features.
        windowed: number of key frames seen through the window.
        unrestricted: number of key frames of which every position is seen.
        window: the window.
        topk: slots per query.
        item: bytes of a number in the products (4 = float32, 2 = bfloat16).
        stored: bytes of a number in the memory.
    """

    query: tuple[int, int]
    keys: tuple[int, int]
    channels: int
    windowed: int
    unrestricted: int
    window: Window
    topk: int
    item: int = 4
    stored: int = 4


@dataclass(frozen=True)
class Plan:
    """A block shape.

    Attributes:
        rows: query rows of a block; with ``dense`` a block is ``rows`` x ``cols``
            consecutive queries and ``rows`` is 1.
        cols: query columns of a block.
        dense: every key position is scored, the window is applied afterwards.
        strips: the key columns of a column of blocks are copied once for all of them.
        converted: frames that are seen whole are converted once to the precision of
            the products, instead of piece by piece for every block.
        num_bytes: what the operator is estimated to allocate.
        cost: estimated nanoseconds, comparable between plans only.
        fused: one kernel keeps the best keys while it scores; ``dense``, ``strips`` and
            ``converted`` say nothing then.
    """

    rows: int
    cols: int
    dense: bool
    strips: bool
    converted: bool
    num_bytes: int
    cost: float
    fused: bool = False

    def __str__(self) -> str:
        kind = 'dense' if self.dense else 'windowed'
        kind = 'fused' if self.fused else kind
        return f'{kind}, blocks of {self.rows}x{self.cols} queries'


def blocks_of(length: int, step: int) -> Iterator[tuple[int, int]]:
    """Start and end of pieces of ``step``, in order."""
    for start in range(0, length, step):
        yield start, min(start + step, length)


def reach_of(start: int, end: int, reach: int, length: int) -> tuple[int, int]:
    """Key rows (or columns) that the query rows ``start .. end - 1`` can see."""
    return max(0, start - reach), min(length, end + reach)


def _scores_bytes(problem: Problem, queries: int, cells: int, frames: int) -> int:
    candidates = frames * (problem.topk + 1) * 48
    return queries * (cells * (frames * problem.item + 24) + candidates)


def _rescored_bytes(problem: Problem, queries: int) -> int:
    """Features of the survivors of a pre-selection in less than float32."""
    return queries * 5 * problem.topk * problem.channels * 4 if problem.item < 4 else 0


def _converted_bytes(problem: Problem, frames: int) -> int:
    if problem.item == problem.stored:
        return 0
    return frames * problem.keys[0] * problem.keys[1] * problem.channels * problem.item


def _dense(problem: Problem, chunk: int, frames: int, converted: bool) -> Plan:
    n, total = problem.keys[0] * problem.keys[1], problem.query[0] * problem.query[1]
    chunk = min(chunk, total)
    num_bytes = _scores_bytes(problem, chunk, n, frames) if frames else 0
    num_bytes += _rescored_bytes(problem, chunk)
    num_bytes += _converted_bytes(problem, frames) if converted else 0
    blocks = -(-total // chunk)
    scores = frames * n * total
    cost = scores * (2 * problem.channels * _NS_PER_FLOP + _NS_PER_SCORE)
    cost += total * n * _NS_PER_CELL + blocks * _block_cost(frames)
    repeats = 1 if converted else blocks
    cost += repeats * _converted_bytes(problem, frames) * _NS_PER_COPIED_BYTE
    return Plan(1, chunk, True, False, converted, num_bytes, cost)


def _block_cost(frames: int) -> float:
    return _NS_PER_BLOCK + frames * _NS_PER_CALL


def _windowed(
    problem: Problem, rows: int, cols: int, strips: bool, converted: bool
) -> Plan:
    (h, w), reach = problem.keys, problem.window.reach
    frames, c = problem.windowed, problem.channels
    high, wide = min(h, rows + 2 * reach), min(w, cols + 2 * reach)
    num_bytes = _scores_bytes(problem, rows * cols, high * wide, frames)
    num_bytes += (frames * h if strips else high) * wide * c * problem.item
    down = [(e - s, reach_of(s, e, reach, h)) for s, e in blocks_of(h, rows)]
    across = [(e - s, reach_of(s, e, reach, w)) for s, e in blocks_of(w, cols)]
    seen_down = sum(n * (b - a) for n, (a, b) in down)
    seen_across = sum(n * (b - a) for n, (a, b) in across)
    cells = seen_down * seen_across  # of one key frame, over all queries
    copied = sum(b - a for _, (a, b) in across) * c * problem.item * frames
    copied *= h if strips else sum(b - a for _, (a, b) in down)
    cost = cells * frames * (2 * c * _NS_PER_FLOP + _NS_PER_SCORE)
    cost += cells * _NS_PER_CELL + copied * _NS_PER_COPIED_BYTE
    cost += len(down) * len(across) * _block_cost(frames)
    if problem.unrestricted:
        extra = _dense(problem, rows * cols, problem.unrestricted, converted)
        num_bytes, cost = num_bytes + extra.num_bytes, cost + extra.cost
    else:
        num_bytes += _rescored_bytes(problem, rows * cols)
    return Plan(rows, cols, False, strips, converted, num_bytes, cost)


@lru_cache(maxsize=_KEPT)
def plan_blocks(problem: Problem, max_memory: int, method: str = 'auto') -> Plan:
    """The cheapest block shape that fits; plans are remembered.

    Args:
        problem: sizes.
        max_memory: bound in bytes on what the operator allocates beyond features and
            labels.
        method: ``'auto'``, or ``'dense'`` / ``'windowed'`` to force one.

    Raises:
        ValueError: unknown method; ``'windowed'`` without a window; or nothing fits,
            with the smallest bound that would do.
    """
    if method not in ('auto', 'dense', 'windowed'):
        raise ValueError(
            f"method is {method!r}; it should be 'auto', 'dense', 'windowed' or "
            "'fused'."
        )
    no_window = problem.window.shape == 'none' or problem.query != problem.keys
    if method == 'windowed' and no_window:
        raise ValueError(
            "method 'windowed' needs a window and queries on the grid of the keys; "
            f'the window is {problem.window.shape!r}, queries {problem.query}, keys '
            f'{problem.keys}.'
        )
    plans: list[Plan] = []
    if method != 'windowed' or not problem.windowed:  # whole frames only
        frames = problem.windowed + problem.unrestricted
        plans += [
            _dense(problem, chunk, frames, converted)
            for chunk in _CHUNKS
            for converted in (True, False)
        ]
    if method != 'dense' and problem.windowed and not no_window:
        h, w = problem.keys
        plans += [
            _windowed(problem, rows, cols, strips, converted)
            for rows in sorted({min(side, h) for side in _SIDES})
            for cols in sorted({min(side, w) for side in _SIDES})
            for strips in (True, False)
            for converted in (True, False)
        ]
    fitting = [plan for plan in plans if plan.num_bytes <= _SHARE * max_memory]
    if not fitting:
        least = int(min(plan.num_bytes for plan in plans) / _SHARE) + 1
        raise ValueError(
            f'max_memory of {max_memory} bytes is too small for a {problem.keys[0]}x'
            f'{problem.keys[1]} grid with {problem.channels} channels and '
            f'{problem.windowed + problem.unrestricted} key frames: give at least '
            f'{least} bytes.'
        )
    return min(fitting, key=lambda plan: plan.cost)


def parse_bytes(text: int | str) -> int:
    """Bytes of ``'512MB'``, ``'2GB'``, ``'800KB'`` or a plain number.

    Raises:
        ValueError: not a size.
    """
    units = {'KB': 10**3, 'MB': 10**6, 'GB': 10**9, 'B': 1}
    value = str(text).strip().upper().replace(' ', '')
    for unit, factor in units.items():
        if value.endswith(unit):
            value, scale = value[: -len(unit)], factor
            break
    else:
        scale = 1
    try:
        size = int(float(value) * scale)
    except (ValueError, OverflowError):
        size = 0
    if size <= 0:
        raise ValueError(f"{text!r} is not a size; write '512MB', '2GB' or bytes.")
    return size
