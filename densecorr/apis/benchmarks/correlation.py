"""Spa-then-Temp's correlation part, forward and backward: windows against all pairs.

Two levels of features, a colour and selection weights are given; measured are the
matches of both levels, the two reconstructions, the pooled target and the local loss,
with the gradients of all features. The baseline holds the map of all pairs of each
level, masked in place. Both see the same tensors, run in turn in one process, and must
give the same losses and gradients; peaks of memory are those of fresh processes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor

from densecorr.apis.benchmarks.memory import (
    in_fresh_process,
    process_bytes,
    restart_peak,
)
from densecorr.apis.benchmarks.timing import alternate
from densecorr.models.losses.color_reconstruction import color_reconstruction
from densecorr.models.losses.correlation_distillation import local_distillation
from densecorr.ops.correlation import local_correlation
from densecorr.ops.window import Window

TARGET_RATIO = 2.0  # of time and of memory
GOAL_RATIO = 4.0
TARGET_DIFFERENCE = 1e-5  # of losses and gradients, relative to the largest value
CHANNELS = {18: (128, 256), 50: (512, 1024)}  # of layer2 and layer3, by depth
_CELL = 2
_STRIDE = 4  # pixels of the image for a position of the fine level
_LOCAL_WEIGHT = 1000.0
_QUARTER = 0.25  # rows of the pooled target, as in the official code
_WARM = 16  # side of the fine level that loads libraries before measuring
_KINDS = ('dense', 'windowed')


class Case(NamedTuple):
    """Inputs; features are leaves with gradient.

    Attributes:
        maps: target and reference of the fine and of the coarse level.
        radii: of both levels.
        source: ``(b, 1, H, W)`` colour of the reference.
        color: of the target.
        weight: ``(b, h, w)`` of the coarse level.
    """

    maps: list[list[Tensor]]
    radii: tuple[int, int]
    source: Tensor
    color: Tensor
    weight: Tensor


def make_case(
    batch: int, side: int, channels: tuple[int, int], radii: tuple[int, int]
) -> Case:
    """Random features of unit variance, colours and weights, from seed 0."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    maps = []
    for level, number in enumerate(channels):
        grid = side // _CELL**level
        pair = [draw(batch, number, grid, grid) for _ in range(2)]
        maps.append([feats.requires_grad_() for feats in pair])
    pixels, grid = side * _STRIDE, side // _CELL
    colors = [draw(batch, 1, pixels, pixels) for _ in range(2)]
    weight = (draw(batch, grid, grid) > 0).float()
    return Case(maps, radii, colors[0], colors[1], weight)


def windowed_loss(case: Case) -> Tensor:
    """The sum of the losses as the method makes it."""
    loss, windows = torch.zeros(()), []
    for level, (maps, radius) in enumerate(zip(case.maps, case.radii, strict=True)):
        (target, reference), cell = maps, 1 if level else _CELL
        source = _source(case, level)
        matches = local_correlation(target, reference, source, radius, cell=cell)
        loss = loss + color_reconstruction(matches.transported, case.color)
        windows.append(matches.windows)
    fine = windows[0].detach() * _QUARTER
    local = local_distillation(windows[1], fine, case.weight)
    return loss + _LOCAL_WEIGHT * local


def dense_loss(case: Case) -> Tensor:
    """The same from maps of all pairs."""
    loss, affinities = torch.zeros(()), []
    for level, (maps, radius) in enumerate(zip(case.maps, case.radii, strict=True)):
        target, reference = (feats.flatten(2) for feats in maps)
        grid = maps[0].shape[2:]
        far = ~Window('square', radius).allowed(*grid)
        scaled = target.transpose(1, 2) * target.shape[1] ** -0.5
        scores = (scaled @ reference).masked_fill_(far, -torch.inf)
        affinity = scores.softmax(-1)  # (b, n, n)
        moved = _source(case, level).flatten(2) @ affinity.transpose(1, 2)
        loss = loss + color_reconstruction(moved.unflatten(2, grid), case.color)
        affinities.append(affinity)
    fine, coarse = affinities
    h, w = (side // _CELL for side in case.maps[0][0].shape[2:])
    cells = fine.detach().view(-1, h, _CELL, w, _CELL, h, _CELL, w, _CELL)
    target = cells.mean((2, 4, 6, 8)).flatten(3).flatten(1, 2)
    weight = case.weight.flatten(1)[..., None]
    local = (weight * (coarse - target).square()).sum()
    return loss + _LOCAL_WEIGHT * local / (weight.sum() * h * w)


_LOSSES: dict[str, Callable[[Case], Tensor]] = dict(
    zip(_KINDS, (dense_loss, windowed_loss), strict=True)
)


def step(case: Case, kind: str) -> list[Tensor]:
    """Loss and gradients, forward and backward."""
    leaves = [feats for maps in case.maps for feats in maps]
    loss = _LOSSES[kind](case)
    return [loss.detach(), *torch.autograd.grad(loss, leaves)]


def differences(case: Case) -> list[float]:
    """Largest difference of the loss and of each gradient, relative to its largest."""
    pairs = zip(step(case, 'dense'), step(case, 'windowed'), strict=True)
    return [float((a - b).abs().max() / a.abs().max()) for a, b in pairs]


def peak(kind: str, sizes: list) -> int:
    """Bytes that a step allocates beyond its inputs (this process)."""
    batch, side, channels, radii = sizes
    step(make_case(batch, _WARM, channels, (2, 1)), kind)
    case = make_case(batch, side, channels, radii)
    before = process_bytes('VmRSS')
    restart_peak()
    step(case, kind)
    return process_bytes('VmHWM') - before


def _source(case: Case, level: int) -> Tensor:
    step_ = _STRIDE * _CELL**level
    return case.source[:, :, ::step_, ::step_]


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(
        prog='benchmark.py correlation', description=__doc__
    )
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--side', type=int, default=64, help='of the fine level')
    parser.add_argument('--depth', type=int, choices=sorted(CHANNELS), default=18)
    parser.add_argument('--radii', type=int, nargs=2, default=(12, 6))
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--child', help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if the windows miss their target or differ."""
    args = parse_args(argv)
    if args.child:
        request = json.loads(args.child)
        torch.set_num_threads(request['threads'])
        used = peak(request['kind'], request['sizes'])
        sys.stdout.write(json.dumps(used) + '\n')
        return 0
    torch.set_num_threads(args.threads)
    sizes = [args.batch, args.side, CHANNELS[args.depth], tuple(args.radii)]
    case = make_case(*sizes)
    error = max(differences(case))
    runs: dict[str, Callable[[], object]] = {
        kind: partial(step, case, kind) for kind in _KINDS
    }
    seconds = alternate(runs, args.pairs)
    module = 'densecorr.apis.benchmarks.correlation'
    peaks = {
        kind: in_fresh_process(
            module, dict(kind=kind, sizes=sizes, threads=args.threads)
        )
        for kind in _KINDS
    }
    faster, smaller = (found['dense'] / found['windowed'] for found in (seconds, peaks))
    reached = min(faster, smaller) >= TARGET_RATIO
    equal = error <= TARGET_DIFFERENCE
    print_log(
        f'{args.side}x{args.side} and half of it, batch {args.batch}, ResNet-'
        f'{args.depth}, {args.threads} thread(s), median of {args.pairs} alternating '
        f'pairs: dense {seconds["dense"]:.3f} s and {peaks["dense"] / 1e6:.0f} MB, '
        f'windows {seconds["windowed"]:.3f} s and {peaks["windowed"] / 1e6:.0f} MB: '
        f'{faster:.2f} times as fast, {smaller:.2f} times less memory (target '
        f'{TARGET_RATIO}: {"reached" if reached else "MISSED"}, goal {GOAL_RATIO}: '
        f'{"reached" if min(faster, smaller) >= GOAL_RATIO else "missed"}); losses and '
        f'gradients differ by {error:.1e} (limit {TARGET_DIFFERENCE:.0e}: '
        f'{"kept" if equal else "EXCEEDED"})'
    )
    return 0 if reached and equal else 1


if __name__ == '__main__':
    sys.exit(main())
