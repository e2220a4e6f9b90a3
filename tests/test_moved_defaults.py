"""No operator makes a tensor on the default device when its inputs are elsewhere.

The inputs are on the CPU and the default device is ``meta``: a tensor that is made
without a device lands there, and meeting one of the CPU raises, as it would on CUDA.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.models.losses.random_walk import random_walk
from densecorr.ops.assignment import best_assignment
from densecorr.ops.cross_entropy import soft_cross_entropy
from densecorr.ops.keys import Keys
from densecorr.ops.monitors import assignment_entropy, cluster_usage, feature_std
from densecorr.ops.noise import item_noise
from densecorr.ops.propagate import propagate, propagate_reference, topk_slots
from densecorr.ops.selection import Rule
from densecorr.ops.sinkhorn import sinkhorn_assignment, sinkhorn_plan
from densecorr.ops.walk import dropped_edges
from densecorr.ops.window import Window
from densecorr.propagation import Context, LabelPropagator
from tests.test_models import (
    test_catmae,
    test_crw,
    test_dul,
    test_moco_v2,
    test_smtc,
    test_spa_then_temp,
    test_timet,
    test_vfs,
)

CPU = torch.device('cpu')
WINDOW = Window('circle', 2.0, inclusive=False)


def unit(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator), dim=-1)


def on_cpu(found: Any) -> None:
    """Every tensor of a result is where the inputs were."""
    if isinstance(found, Tensor):
        assert found.device == CPU, found.device
    elif isinstance(found, dict):
        on_cpu(list(found.values()))
    elif isinstance(found, (list, tuple)):
        for part in found:
            on_cpu(part)


def run_moved(run: Callable[[], Any]) -> None:
    with torch.device('meta'):
        found = run()
    on_cpu(found)


def test_the_guard_finds_a_tensor_without_a_device() -> None:
    values = torch.ones(3)
    with pytest.raises((RuntimeError, AssertionError), match='meta'):
        run_moved(lambda: values + torch.arange(3))


@pytest.mark.parametrize('ties', ['lowest', 'all'])
@pytest.mark.parametrize('method', ['dense', 'windowed'])
@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_propagation(method: str, precision: str, ties: str) -> None:
    keys, query = unit(3, 6, 7, 16, seed=1), unit(6, 7, 16)
    memory = Keys(keys, (2, 1, 1), (2, 0, 0), center=keys.mean((0, 1, 2)))
    labels, rule = torch.rand(3 * 42, 2), Rule(topk=4, ties=ties)
    options: dict[str, Any] = dict(method=method, precision=precision)
    operands = (query, memory, labels, WINDOW, rule)
    run_moved(lambda: propagate(*operands, **options).labels)
    run_moved(lambda: propagate_reference(*operands))
    if ties == 'lowest':
        run_moved(lambda: topk_slots(query, memory, WINDOW, rule, **options).index)


def test_propagator_over_a_clip() -> None:
    propagator = LabelPropagator(
        Context(num_frames=2, first='global', repeat_first=True), WINDOW, Rule(topk=3)
    )
    frames, labels = unit(4, 6, 7, 16).permute(0, 3, 1, 2), torch.rand(2, 6, 7)
    run_moved(
        lambda: [
            propagator.step(frame, None if t else labels)
            for t, frame in enumerate(frames)
        ]
    )


def operators() -> dict[str, Callable[[], Any]]:
    nodes, scores = unit(2, 4, 5, 8), torch.rand(6, 4)
    drops, shares = torch.rand(2, 3, 5, 5), scores.softmax(1)
    return dict(
        walk=lambda: random_walk(nodes, 0.1, *[dropped_edges(drops, 0.2)] * 2).loss,
        noise=lambda: item_noise([3, 4], 1, (2, 2), CPU),
        best=lambda: best_assignment(nodes[..., :5]),
        assignment=lambda: sinkhorn_assignment(scores, iterations=3),
        plan=lambda: sinkhorn_plan(scores[None]),
        cross_entropy=lambda: soft_cross_entropy(scores, shares),
        monitors=lambda: [
            feature_std(nodes),
            *cluster_usage(shares),
            assignment_entropy(shares),
        ],
    )


@pytest.mark.parametrize('name', operators())
def test_operators(name: str) -> None:
    run_moved(operators()[name])


def methods() -> dict[str, Callable[[], tuple[Any, dict[str, Tensor]]]]:
    """Small methods of every kind, each with a batch of two clips."""
    return dict(
        crw=lambda: (test_crw.build(), dict(frames=test_crw.batch(2, 3, 4, 3, 16, 16))),
        catmae=lambda: (test_catmae.build(), test_catmae.clips()),
        dul=lambda: (test_dul.build(), test_dul.batch()),
        spa_then_temp=lambda: (
            test_spa_then_temp.build(teacher={}),
            test_spa_then_temp.clips(),
        ),
        smtc=lambda: (test_smtc.build(), test_smtc.batch()),
        timet=lambda: (
            test_timet.build(teacher=True, queue_length=30, mask=0.65),
            dict(frames=test_timet.clips()),
        ),
        vfs=lambda: (test_vfs.build(), dict(frames=test_vfs.batch(2, 4, 3, 16, 16))),
        moco_v2=lambda: (
            test_moco_v2.build(),
            dict(frames=test_moco_v2.batch(2, 2, 3, 16, 16)),
        ),
    )


@pytest.mark.parametrize('name', methods())
def test_a_step_of_a_method(name: str) -> None:
    method, inputs = methods()[name]()
    samples = [dict(seed=5), dict(seed=6)]

    def step() -> dict[str, Tensor]:
        total, outputs = method.parse_losses(method.loss(inputs, samples))
        total.backward()
        return outputs

    run_moved(step)
    on_cpu([p.grad for p in method.parameters() if p.grad is not None])
    on_cpu(list(method.buffers()))
