"""DUL's loss on given features, forward and backward, against its literal form.

The literal form makes the products of all frames with all anchors, aligns them, and
takes the labels from a softmax over all anchors in which those of other clips are
masked. Both see the same tensors, run in turn in one process, and must give the same
losses and gradients; peaks of memory are those of fresh processes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from densecorr.apis.benchmarks.memory import (
    in_fresh_process,
    process_bytes,
    restart_peak,
)
from densecorr.apis.benchmarks.timing import alternate
from densecorr.models.losses.dul import dul_loss
from densecorr.ops.anchors import anchor_places, grid_offsets

TARGET_RATIO = 0.5  # of time and of memory
TARGET_DIFFERENCE = 1e-5  # of losses and gradients, relative to the largest value
_CROSS_VIEW_WEIGHT = 0.1
_PAIR_GRID = 4
_WARM = (2, 2, 8, 16, 8)  # sizes that load libraries before memory is measured
_KINDS = ('literal', 'gathered')


class Case(NamedTuple):
    """Arguments of :func:`densecorr.models.losses.dul.dul_loss`."""

    main: Tensor
    first: Tensor
    others: Tensor
    theta: Tensor
    anchors: Tensor
    pairs: Tensor
    temperature: float = 0.05


def make_case(clips: int, frames: int, side: int, channels: int, grid: int) -> Case:
    """Random unit features and zooms in [0.5, 1], half of them mirrored, from seed 0.

    Args:
        clips: b.
        frames: t.
        side: of the square map.
        channels: of the features.
        grid: anchors of a side.
    """
    generator = torch.Generator().manual_seed(0)

    def unit(*lead: int) -> Tensor:
        maps = torch.randn(*lead, channels, side, side, generator=generator)
        return F.normalize(maps, dim=-3)

    main, first = unit(clips, frames).requires_grad_(), unit(clips).requires_grad_()
    drawn = torch.rand(clips, 4, generator=generator)
    zoom, flip = (1 + drawn[:, 0]) / 2, torch.where(drawn[:, 1] < 1 / 2, -1.0, 1.0)
    theta = torch.zeros(clips, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = zoom * flip, zoom
    theta[:, :, 2] = (1 - zoom)[:, None] * (2 * drawn[:, 2:] - 1)
    size = (side, side)
    anchors, pairs = (
        anchor_places(
            grid_offsets(torch.rand(clips, 2, generator=generator), size, n), size, n
        )
        for n in (grid, _PAIR_GRID)
    )
    return Case(main, first, unit(clips, frames - 1), theta, anchors, pairs)


def literal_loss(case: Case) -> Tensor:
    """Both terms as the formulas have them."""
    b, t, _, h, w = case.main.shape
    tau = case.temperature
    anchors = _at(case.main[:, 0], case.anchors).flatten(0, 1)  # (b * k, c)
    theta = case.theta[:, None].expand(-1, t, -1, -1).reshape(-1, 2, 3)
    maps = case.main.flatten(0, 1)
    logits = torch.einsum('ncx,jc->njx', maps.flatten(2), anchors) / tau
    logits = aligned(logits.unflatten(2, (h, w)), theta)  # (b * t, b * k, h, w)
    with torch.no_grad():
        second = torch.cat([case.first[:, None], case.others], 1).flatten(0, 1)
        same = torch.einsum('ncx,jc->njx', second.flatten(2), anchors) / tau
        owner = torch.arange(b).repeat_interleave(case.anchors.shape[1])
        clip = torch.arange(b).repeat_interleave(t)
        own = (owner[None] == clip[:, None])[..., None]
        labels = (same.softmax(1) * own).argmax(1).unflatten(1, (h, w))
    error = F.cross_entropy(logits, labels, reduction='none')
    temporal = error.unflatten(0, (b, t))[:, 1:].mean()
    here = _at(aligned(case.main[:, 0], case.theta), case.pairs).flatten(0, 1)
    there = _at(case.first, case.pairs).flatten(0, 1)
    cross_view = F.cross_entropy(here @ there.T / tau, torch.arange(len(here)))
    return temporal + _CROSS_VIEW_WEIGHT * cross_view


def gathered_loss(case: Case) -> Tensor:
    """The same as the method makes it."""
    terms = dul_loss(*case)
    return terms.temporal + _CROSS_VIEW_WEIGHT * terms.cross_view


def aligned(maps: Tensor, theta: Tensor) -> Tensor:
    """Maps ``(n, c, h, w)`` looked up at theta, nearest, zero outside."""
    grid = F.affine_grid(theta.to(maps.dtype), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode='nearest', align_corners=False)


_LOSSES: dict[str, Callable[[Case], Tensor]] = dict(
    zip(_KINDS, (literal_loss, gathered_loss), strict=True)
)


def step(case: Case, kind: str) -> list[Tensor]:
    """Loss and gradients of ``main`` and ``first``, forward and backward."""
    loss = _LOSSES[kind](case)
    return [loss.detach(), *torch.autograd.grad(loss, [case.main, case.first])]


def differences(case: Case) -> list[float]:
    """Largest difference of the loss and of each gradient, relative to its largest."""
    pairs = zip(*(step(case, kind) for kind in _KINDS), strict=True)
    return [float((a - b).abs().max() / a.abs().max()) for a, b in pairs]


def peak(kind: str, sizes: list) -> int:
    """Bytes that a step allocates beyond its inputs (this process)."""
    step(make_case(*_WARM), kind)
    case = make_case(*sizes)
    before = process_bytes('VmRSS')
    restart_peak()
    step(case, kind)
    return process_bytes('VmHWM') - before


def _at(maps: Tensor, places: Tensor) -> Tensor:
    """``(b, c, h, w)`` at ``(b, k)`` places, ``(b, k, c)``."""
    index = places[:, None].expand(-1, maps.shape[1], -1)
    return maps.flatten(2).gather(2, index).transpose(1, 2)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py dul_loss', description=__doc__)
    parser.add_argument('--clips', type=int, default=16)
    parser.add_argument('--frames', type=int, default=5)
    parser.add_argument('--side', type=int, default=32, help='of the map')
    parser.add_argument('--channels', type=int, default=128)
    parser.add_argument('--grid', type=int, default=8)
    parser.add_argument('--pairs', type=int, default=3)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--child', help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if ours misses its target or differs."""
    args = parse_args(argv)
    if args.child:
        request = json.loads(args.child)
        torch.set_num_threads(request['threads'])
        used = peak(request['kind'], request['sizes'])
        sys.stdout.write(json.dumps(used) + '\n')
        return 0
    torch.set_num_threads(args.threads)
    sizes = [args.clips, args.frames, args.side, args.channels, args.grid]
    case = make_case(*sizes)
    error = max(differences(case))
    runs = {kind: partial(step, case, kind) for kind in _KINDS}
    seconds = alternate(runs, args.pairs)
    module = 'densecorr.apis.benchmarks.dul_loss'
    request = dict(sizes=sizes, threads=args.threads)
    peaks = {
        kind: in_fresh_process(module, dict(request, kind=kind)) for kind in _KINDS
    }
    times, sizes_ = (found['gathered'] / found['literal'] for found in (seconds, peaks))
    reached = max(times, sizes_) <= TARGET_RATIO
    equal = error <= TARGET_DIFFERENCE
    print_log(
        f'{args.clips} clips of {args.frames} maps of {args.side}x{args.side}x'
        f'{args.channels}, {args.grid}x{args.grid} anchors each, {args.threads} '
        f'thread(s), median of {args.pairs} alternating pairs: literal '
        f'{seconds["literal"]:.2f} s and {peaks["literal"] / 1e6:.0f} MB, ours '
        f'{seconds["gathered"]:.2f} s and {peaks["gathered"] / 1e6:.0f} MB: '
        f'{times:.2f} of the time, {sizes_:.2f} of the memory (target {TARGET_RATIO}: '
        f'{"reached" if reached else "MISSED"}); losses and gradients differ by '
        f'{error:.1e} (limit {TARGET_DIFFERENCE:.0e}: '
        f'{"kept" if equal else "EXCEEDED"})'
    )
    return 0 if reached and equal else 1


if __name__ == '__main__':
    sys.exit(main())
