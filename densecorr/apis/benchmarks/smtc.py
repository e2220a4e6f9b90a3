"""SMTC's transport and instance losses, forward and backward, against literal forms.

The literal transport loss makes the cross entropies of all pairs of places for every
semantic slot; the literal instance loss assigns the instances of each clip, slot and
pair of frames by itself, with scipy. Both forms see the same tensors, run in turn in
one process and in float32, and must give the same losses and gradients.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from densecorr.apis.benchmarks.timing import alternate
from densecorr.models.losses.slot_instance import slot_instance
from densecorr.models.losses.slot_transport import slot_transport

TARGETS = dict(transport=1.6, instance=3.5)  # literal seconds / ours
TARGET_DIFFERENCE = 1e-5  # of losses and gradients, relative to the largest value
_EPSILON, _ITERATIONS, _MARGIN = 0.05, 3, 0.5
_LOG_EPS, _COUNT_EPS = 1e-8, 1e-10
_VALID = 0.5  # share of the instances that count
_CLOCKS = dict(wall=time.perf_counter, cpu=time.process_time)


class Case(NamedTuple):
    """What both losses take: dots ``(b, t, s, n)``, objects ``(b, t, s, p, c)``."""

    student_dots: Tensor
    teacher_dots: Tensor
    teacher_keys: Tensor
    student_objects: Tensor
    teacher_objects: Tensor
    student_valid: Tensor
    teacher_valid: Tensor


def make_case(
    clips: int, frames: int, slots: int, instances: int, places: int, channels: int
) -> Case:
    """Random numbers of seed 0."""
    generator = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> Tensor:
        return torch.randn(clips, frames, *shape, generator=generator)

    def objects() -> Tensor:
        return F.normalize(randn(slots, instances, channels), dim=-1)

    def valid() -> Tensor:
        drawn = torch.rand(clips, frames, slots, instances, generator=generator)
        return drawn < _VALID

    return Case(
        student_dots=randn(slots, places).requires_grad_(),
        teacher_dots=randn(slots, places),
        teacher_keys=randn(places, channels),
        student_objects=objects().requires_grad_(),
        teacher_objects=objects(),
        student_valid=valid(),
        teacher_valid=valid(),
    )


def literal_transport(case: Case) -> Tensor:
    """Pair of frames by pair of frames, as the formula has it."""
    t = case.student_dots.shape[1]
    shares, targets = case.student_dots.softmax(2), case.teacher_dots.softmax(2)
    pairs = [(i, j) for i in range(t) for j in range(t) if i != j]
    total = torch.zeros(())
    for i, j in pairs:
        plan = literal_plan(case.teacher_keys[:, i], case.teacher_keys[:, j])
        logs = (shares[:, i] + _LOG_EPS).log()  # (b, s, n)
        errors = -(targets[:, j, :, None, :] * logs[..., None]).sum(1)  # (b, n, n)
        total = total + (plan * errors).sum((1, 2)).mean()
    return total / len(pairs)


def literal_plan(first: Tensor, second: Tensor) -> Tensor:
    """Sinkhorn's plan of ``(b, n, c)`` keys, ``(b, n, n)``."""
    first, second = F.normalize(first, dim=-1), F.normalize(second, dim=-1)
    kernel = (-(1 - first @ second.transpose(1, 2)) / _EPSILON).exp()
    rows, columns = first.abs().sum(-1), second.abs().sum(-1)
    rows = rows / rows.sum(-1, keepdim=True)
    columns = columns / columns.sum(-1, keepdim=True)
    v = torch.ones_like(columns)
    for _ in range(_ITERATIONS):
        u = rows / (kernel * v[:, None]).sum(-1)
        v = columns / (kernel * u[..., None]).sum(-2)
    return u[..., None] * kernel * v[:, None]


def literal_instance(case: Case) -> Tensor:
    """Clip by clip and slot by slot, as the formula has it."""
    b, t, s, p, _ = case.student_objects.shape
    total, count = torch.zeros(()), torch.zeros(())
    for i in range(t):
        for j in range(t):
            found = case.teacher_objects[:, j].transpose(-1, -2)
            cosines = case.student_objects[:, i] @ found  # (b, s, p, p)
            tables = cosines.detach().cpu().numpy()
            matches = np.stack(
                [
                    [linear_sum_assignment(-tables[k, m])[1] for m in range(s)]
                    for k in range(b)
                ]
            )
            own = F.one_hot(torch.from_numpy(matches), p).to(cosines.dtype)
            valid = case.teacher_valid[:, j, :, None].to(cosines.dtype)
            attract = (own * valid * cosines).sum(-1)
            others = ((1 - own) * (cosines - _MARGIN).relu()).sum(-1) / (p - 1)
            counted = case.student_valid[:, i].to(cosines.dtype)
            total = total + (counted * (others - attract)).sum()
            count = count + (counted + _COUNT_EPS).sum()
    return total / count


def our_transport(case: Case) -> Tensor:
    """As the method makes it."""
    return slot_transport(case.student_dots, case.teacher_dots, case.teacher_keys)


def our_instance(case: Case) -> Tensor:
    """As the method makes it."""
    objects = (case.student_objects, case.teacher_objects)
    return slot_instance(*objects, case.student_valid, case.teacher_valid).loss


_FORMS: dict[str, dict[str, Callable[[Case], Tensor]]] = dict(
    transport=dict(literal=literal_transport, ours=our_transport),
    instance=dict(literal=literal_instance, ours=our_instance),
)
_LEARNS = dict(transport='student_dots', instance='student_objects')


def step(case: Case, loss: str, form: str) -> list[Tensor]:
    """Loss and gradient, forward and backward."""
    value = _FORMS[loss][form](case)
    return [value.detach(), *torch.autograd.grad(value, getattr(case, _LEARNS[loss]))]


def difference(case: Case, loss: str) -> float:
    """Largest difference of the loss and its gradient, relative to its largest."""
    pairs = zip(*(step(case, loss, form) for form in _FORMS[loss]), strict=True)
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py smtc', description=__doc__)
    parser.add_argument('--clips', type=int, default=2)
    parser.add_argument('--frames', type=int, default=4)
    parser.add_argument('--slots', type=int, default=16)
    parser.add_argument('--instances', type=int, default=4)
    parser.add_argument('--places', type=int, default=256)
    parser.add_argument('--channels', type=int, default=384)
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--clock',
        choices=_CLOCKS,
        default='wall',
        help='cpu counts the seconds of this process alone',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if a loss misses its target or differs."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    names = ('clips', 'frames', 'slots', 'instances', 'places', 'channels')
    case = make_case(*(getattr(args, name) for name in names))
    sizes = ', '.join(f'{getattr(args, name)} {name}' for name in names)
    print_log(f'{sizes}, {args.threads} thread(s), median of {args.pairs} pairs')
    good = True
    for loss, target in TARGETS.items():
        error = difference(case, loss)
        runs = {form: partial(step, case, loss, form) for form in _FORMS[loss]}
        seconds = alternate(runs, args.pairs, _CLOCKS[args.clock])
        ratio = seconds['literal'] / seconds['ours']
        reached, equal = ratio >= target, error <= TARGET_DIFFERENCE
        good = good and reached and equal
        print_log(
            f'{loss}: literal {seconds["literal"] * 1e3:.1f} ms, ours '
            f'{seconds["ours"] * 1e3:.1f} ms ({args.clock}), {ratio:.1f} times as fast '
            f'(target {target}: {"reached" if reached else "MISSED"}); loss and '
            f'gradient differ by {error:.1e} (limit {TARGET_DIFFERENCE:.0e}: '
            f'{"kept" if equal else "EXCEEDED"})'
        )
    return 0 if good else 1
