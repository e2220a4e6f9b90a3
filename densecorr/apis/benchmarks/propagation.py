"""The operator against dense affinity, and against its own matrix products."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.apis.benchmarks.timing import alternate
from densecorr.ops.keys import Keys, rounding_norms
from densecorr.ops.plan import Plan, blocks_of, reach_of
from densecorr.ops.propagate import DEFAULT_MEMORY, Propagated, propagate
from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.propagation.check import SpotCheck

_DENSE_QUERIES = 512  # of the baseline, multiplied with all keys at once
_OBJECTS = 3
_CHECKED = 500  # queries computed again by the definition
_NOISE = 0.3  # on a smooth map: neighbours are similar, as in real features


@dataclass(frozen=True)
class Case:
    """One shape of the comparison."""

    name: str
    h: int
    w: int
    c: int
    frames: int
    window: Window
    topk: int
    first_global: bool = False


CASES = {
    case.name: case
    for case in (
        Case('s8', 60, 107, 256, 21, Window('circle', 12, False), 10),
        Case('s8-crw', 60, 107, 256, 21, Window('circle', 12, False), 10, True),
        Case('vit-s16', 30, 53, 384, 8, Window('square', 12, True), 5),
        Case('s4', 120, 214, 256, 4, Window('square', 35, True), 10),
    )
}


def smooth_features(case: Case, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Query ``(h, w, c)``, keys ``(m, h, w, c)``, unit length; labels of all keys."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, case.c, case.h // 5, case.w // 5, generator=generator)
    base = F.interpolate(coarse, (case.h, case.w), mode='bicubic')[0]

    def frame(t: int) -> Tensor:
        noise = torch.randn(base.shape, generator=generator)
        moved = base.roll(t % 5, dims=2) + _NOISE * noise
        return F.normalize(moved, dim=0).permute(1, 2, 0).contiguous()

    keys = torch.stack([frame(t) for t in range(case.frames)])
    query = frame(case.frames)
    numbers = case.frames * case.h * case.w
    return query, keys, torch.rand(numbers, _OBJECTS, generator=generator)


def dense_baseline(
    query: Tensor, keys: Tensor, labels: Tensor, case: Case, allowed: Tensor
) -> Tensor:
    """Dense affinity: a product of 512 queries with all keys, masked, one top-k."""
    flat, out = keys.flatten(0, 2), []
    for start in range(0, case.h * case.w, _DENSE_QUERIES):
        affinity = query.flatten(0, 1)[start : start + _DENSE_QUERIES] @ flat.t()
        frames = affinity.view(len(affinity), case.frames, -1)
        restricted = frames[:, 1:] if case.first_global else frames
        hidden = ~allowed[start : start + _DENSE_QUERIES, None]
        restricted.masked_fill_(hidden, -torch.inf)
        values, index = affinity.topk(case.topk, dim=1)
        weights = (values / 0.05).softmax(1)
        out.append((labels[index] * weights[..., None]).sum(1))
    return torch.cat(out)


def bare_products(plan: Plan, case: Case, dtype: torch.dtype) -> Callable[[], None]:
    """The matrix products of a plan, alone, on prepared operands."""
    whole = int(case.first_global) if not plan.dense else case.frames
    windowed = case.frames - whole
    reach = case.window.reach
    n = case.h * case.w
    keys = torch.randn(n, case.c).to(dtype)
    strip = torch.randn(windowed, case.h, 1, case.c).to(dtype) if windowed else None
    shapes = []
    if plan.dense:
        shapes = [(end - start, 0, 0, 0) for start, end in blocks_of(n, plan.cols)]
    else:
        for left, right in blocks_of(case.w, plan.cols):
            x0, x1 = reach_of(left, right, reach, case.w)
            for top, bottom in blocks_of(case.h, plan.rows):
                rows = reach_of(top, bottom, reach, case.h)
                shapes.append(((bottom - top) * (right - left), x1 - x0, *rows))
    widest = max(shape[1] for shape in shapes)
    if strip is not None:
        strip = strip.expand(-1, -1, max(1, widest), -1).contiguous()
    most = max(q * max(n, w * (y1 - y0)) for q, w, y0, y1 in shapes)
    query = torch.randn(max(shape[0] for shape in shapes), case.c).to(dtype)
    buffer = torch.empty(most * max(1, whole, windowed), dtype=dtype)

    def run() -> None:
        for q, wide, y0, y1 in shapes:
            for t in range(windowed):
                assert strip is not None
                cells = (y1 - y0) * wide
                part = strip[t].flatten(0, 1)[:cells]
                out = buffer[t * q * cells : (t + 1) * q * cells].view(q, cells)
                torch.mm(query[:q], part.t(), out=out)
            for t in range(whole):
                out = buffer[t * q * n : (t + 1) * q * n].view(q, n)
                torch.mm(query[:q], keys.t(), out=out)

    return run


def compare(case: Case, precision: str, pairs: int, max_memory: str) -> list[str]:
    """One line per finding about one shape."""
    query, feats, labels = smooth_features(case)
    near = (1,) * case.frames
    far = (int(case.first_global), *[0] * (case.frames - 1))
    center = feats[0].mean((0, 1))
    norms = tuple(rounding_norms(frame, center) for frame in feats)
    keys = Keys(feats, near, far, center, norms)
    rule = Rule(case.topk, 0.05)
    allowed = case.window.allowed(case.h, case.w)

    def ours() -> Propagated:
        return propagate(
            query,
            keys,
            labels,
            case.window,
            rule,
            max_memory=max_memory,
            precision=precision,
        )

    found = ours()
    assert found.plan is not None
    dtype = torch.float32 if precision == 'float32' else torch.bfloat16
    products = bare_products(found.plan, case, dtype)
    times = alternate(
        dict(
            dense=lambda: dense_baseline(query, feats, labels, case, allowed),
            operator=ours,
            products=products,
        ),
        pairs,
    )
    dense, fast, bare = times.values()
    check = SpotCheck(_CHECKED)
    check.compare(found.labels.flatten(0, 1), query, keys, labels, case.window, rule)
    lines = [
        f'{case.name} {case.h}x{case.w} C={case.c} frames={case.frames} '
        f'k={case.topk} {case.window.shape} {case.window.radius:g} {precision}',
        f'  plan: {found.plan}',
        f'  dense {dense:.3f} s, operator {fast:.3f} s: {dense / fast:.2f} times',
        f'  operator over its bare products ({bare:.3f} s): {fast / bare:.2f}',
        f'  {check.checked} queries by the definition: labels differ by at most '
        f'{check.worst:.1e}, {check.close} decided by less than 1e-5 at rank k',
    ]
    if precision == 'bfloat16':
        lines.append(f'  certified: {found.statistics.certified:.2%} of the queries')
    return lines


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def main(argv: list[str] | None = None) -> int:
    """Print the comparison of the shapes that were asked for."""
    parser = argparse.ArgumentParser(
        prog='benchmark.py propagation', description=main.__doc__
    )
    parser.add_argument(
        '--cases', nargs='+', default=['s8', 's8-crw', 'vit-s16'], choices=CASES
    )
    parser.add_argument('--precision', nargs='+', default=['float32', 'bfloat16'])
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--max-memory', default=DEFAULT_MEMORY)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    write = sys.stdout.write
    write(f'torch {torch.__version__}, {args.threads} thread(s), {args.pairs} pairs\n')
    for name in args.cases:
        for precision in args.precision:
            if precision == 'bfloat16' and not has_bfloat16():
                write(f'{name}: no native bfloat16 on this processor, skipped\n')
                continue
            lines = compare(CASES[name], precision, args.pairs, args.max_memory)
            write('\n'.join(lines) + '\n')
            sys.stdout.flush()
    return 0
