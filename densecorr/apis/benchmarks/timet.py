"""A training step of TimeT against its literal form: passes, graphs, carrying.

The literal form makes the passes of the official code without a teacher: tokens of all
frames with their graph, their attention, the tokens once more for the forwarder, and
their attention. It balances the last frame too, which nobody reads, and carries
assignments clip by clip in float64. Both forms see the same clips and weights, run in
turn in one process, and must give the same loss and gradients.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from densecorr.apis.benchmarks.timing import alternate
from densecorr.apis.train import train_config
from densecorr.ops.window import Window
from densecorr.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

TARGET_RATIO = 0.5  # of the time
TARGET_DIFFERENCE = 1e-4  # of the loss and of gradients, relative to the largest value
_CONFIG = 'configs/train/timet_vits16.py'
_KINDS = ('literal', 'ours')


def build(config: str, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
    """The method of a config from a fixed seed, and its optimiser."""
    cfg = train_config(config, options)
    torch.manual_seed(0)
    method: Any = MODELS.build(cfg.model).train()
    wrapper = cfg.optim_wrapper.to_dict()
    wrapper.pop('accumulative_counts', None)
    kind: Any = OPTIM_WRAPPER_CONSTRUCTORS.get(wrapper.pop('constructor'))
    build_wrapper = kind(wrapper, wrapper.pop('paramwise_cfg'))
    return method, build_wrapper(method).optimizer


def make_clips(clips: int, frames: int, side: int) -> Tensor:
    """``(clips, frames, 3, side, side)`` uint8: smooth noise that drifts, seed 0."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(clips, 3, side // 8, side // 8, generator=generator)
    image = F.interpolate(noise, (side, side), mode='bilinear')
    moved = [image.roll((4 * t, 6 * t), (2, 3)) for t in range(frames)]
    return (torch.stack(moved, 1) * 255).to(torch.uint8)


def ours(method: Any, frames: Tensor) -> Tensor:
    """The loss of the method."""
    return method.loss(dict(frames=frames), [])['loss_cluster']


def literal(method: Any, frames: Tensor) -> Tensor:
    """The same loss with the passes and the arithmetic of the official code."""
    images = method.normalize(frames).flatten(0, 1)
    b, t = frames.shape[:2]
    tokens = method.backbone(images)[-1]  # a graph through all frames
    method.backbone.last_attention(images)
    with torch.no_grad():
        frozen = method.backbone(images)[-1].unflatten(0, (b, t))
        method.backbone.last_attention(images)
    h, w = tokens.shape[2:]
    feats = method.head(tokens.permute(0, 2, 3, 1).flatten(1, 2)).unflatten(0, (b, t))
    prototypes, loss = method.prototypes.weight, method.contrast
    scores = F.normalize(feats, dim=-1) @ prototypes.T  # (b, t, n, p)
    with torch.no_grad():
        assigned, _ = (
            literal_sinkhorn(scores[:, i].flatten(0, 1), loss.epsilon, loss.iterations)
            for i in (0, t - 1)
        )
        first = assigned.unflatten(0, (b, h * w))
        labels = torch.stack(
            [
                literal_carry(loss, clip, q)
                for clip, q in zip(frozen, first, strict=True)
            ]
        )
    logits = (scores[:, -1] / loss.temperature).flatten(0, 1)
    return F.cross_entropy(logits, labels.flatten())


def literal_sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """``(n, p)`` assignment by scaling the plan itself."""
    plan = (scores / epsilon).exp()
    plan = plan / plan.sum()
    for _ in range(iterations):
        plan = plan / plan.sum(0) / plan.shape[1]
        plan = plan / plan.sum(1, keepdim=True) / plan.shape[0]
    return plan / plan.sum(1, keepdim=True)


def literal_carry(loss: Any, feats: Tensor, first: Tensor) -> Tensor:
    """Labels ``(h * w,)`` of the last frame of one clip, in float64.

    Args:
        loss: a :class:`densecorr.models.losses.timet.TimeTLoss`.
        feats: ``(t, c, h, w)``.
        first: ``(h * w, p)`` assignment of frame 0.
    """
    window: Window = loss.window
    allowed = window.allowed(feats.shape[2], feats.shape[3])
    rows = F.normalize(feats.double().flatten(2), dim=1).transpose(1, 2)  # (t, n, c)
    soft = [first.double()]
    for frame in range(1, len(rows)):
        seen = [0, *range(max(1, frame - loss.num_frames), frame)]
        weights = torch.cat(
            [
                (rows[frame] @ rows[m].T / loss.rule.temperature).exp() * allowed
                for m in seen
            ],
            1,
        )
        least = weights.topk(loss.rule.topk, dim=1).values[:, -1:]
        weights = weights * (weights >= least)
        weights = weights / weights.sum(1, keepdim=True)
        soft.append(weights @ torch.cat([soft[m] for m in seen]))
    return soft[-1].argmax(1)


_LOSSES: dict[str, Callable[[Any, Tensor], Tensor]] = dict(literal=literal, ours=ours)


def step(kind: str, method: Any, optimizer: Any, frames: Tensor) -> None:
    """Forward, backward and one step of the optimiser."""
    optimizer.zero_grad()
    _LOSSES[kind](method, frames).backward()
    optimizer.step()


def differences(method: Any, frames: Tensor) -> list[float]:
    """Of the loss and of every gradient, relative to the largest gradient."""
    named = [p for p in method.parameters() if p.requires_grad]
    losses = [_LOSSES[kind](method, frames) for kind in _KINDS]
    found = [torch.autograd.grad(loss, named) for loss in losses]
    largest = max(float(grad.abs().max()) for grad in found[0])
    pairs = zip(*found, strict=True)
    errors = [float((a - b).abs().max()) / largest for a, b in pairs]
    first, second = (float(loss.detach()) for loss in losses)
    return [abs(first - second) / abs(first), *errors]


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py timet', description=__doc__)
    parser.add_argument('--config', default=_CONFIG)
    parser.add_argument('--clips', type=int, default=2)
    parser.add_argument('--frames', type=int, default=4)
    parser.add_argument('--side', type=int, default=224, help='pixels')
    parser.add_argument('--pairs', type=int, default=3)
    parser.add_argument('--threads', type=int, default=1)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if ours misses its target or differs."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    frames = make_clips(args.clips, args.frames, args.side)
    built = {kind: build(args.config) for kind in _KINDS}
    error = max(differences(built['ours'][0], frames))
    runs = {kind: partial(step, kind, *built[kind], frames) for kind in _KINDS}
    clock = time.process_time if args.threads == 1 else time.perf_counter
    seconds = alternate(runs, args.pairs, clock)
    ratio = seconds['ours'] / seconds['literal']
    reached, equal = ratio <= TARGET_RATIO, error <= TARGET_DIFFERENCE
    print_log(
        f'{args.clips} clips of {args.frames} frames of {args.side}x{args.side}, '
        f'{args.threads} thread(s), median of {args.pairs} alternating pairs: literal '
        f'{seconds["literal"]:.2f} s, ours {seconds["ours"]:.2f} s a step: '
        f'{ratio:.2f} of the time (target {TARGET_RATIO}: '
        f'{"reached" if reached else "MISSED"}); losses and gradients differ by '
        f'{error:.1e} (limit {TARGET_DIFFERENCE:.0e}: '
        f'{"kept" if equal else "EXCEEDED"})'
    )
    return 0 if reached and equal else 1


if __name__ == '__main__':
    sys.exit(main())
