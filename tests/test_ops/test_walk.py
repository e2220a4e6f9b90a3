import math
import re

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from densecorr.ops.walk import (
    cycle_halves,
    dropped_edges,
    transitions,
    walk_cycles,
)


def draw_nodes(shape=(2, 4, 5, 6), seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(shape, generator=generator, dtype=dtype), dim=-1)


def draw_drops(shape, rate=0.3, seed=1):
    noise = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
    return dropped_edges(noise, rate)


def test_equal_orthogonal_frames_come_home():
    nodes = torch.eye(5).expand(2, 4, 5, 5)
    cycles = walk_cycles(transitions(nodes, 0.05))
    assert cycles.losses.shape == cycles.accuracies.shape == (2,)
    assert torch.all(cycles.losses < 1e-6)
    assert torch.equal(cycles.accuracies, torch.ones(2))


def test_equal_nodes_come_home_by_chance():
    nodes = normalize(torch.ones(1, 4, 8, 3, dtype=torch.float64), dim=-1)
    losses = walk_cycles(transitions(nodes, 0.07)).losses
    torch.testing.assert_close(losses, torch.full_like(losses, math.log(8)))


def test_loss_of_one_cycle_by_hand():
    """Two nodes whose two affinities are 1 and 0: a chain of equal 2x2 matrices."""
    nodes = torch.eye(2, dtype=torch.float64).expand(1, 3, 2, 2)
    stay = 1 / (1 + math.exp(-1 / 0.5))
    p = np.array([[stay, 1 - stay], [1 - stay, stay]])
    expected = -math.log(np.linalg.matrix_power(p, 4)[0, 0])
    assert walk_cycles(transitions(nodes, 0.5)).losses.tolist() == pytest.approx(
        [expected]
    )


@pytest.mark.parametrize('flip', [False, True])
def test_products_are_those_of_the_definition(flip):
    nodes = draw_nodes()
    drops = [draw_drops((2, 3, 5, 5), seed=s) for s in (1, 2)]
    steps = transitions(nodes, 0.1, *drops)
    halves = list(cycle_halves(steps, flip))
    for i, (out, back) in enumerate(halves, 1):
        chain = [steps.forward[:, k] for k in range(i + 1)]
        chain += [steps.backward[:, k] for k in range(i, -1, -1)]
        product = torch.eye(5, dtype=torch.float64).expand(2, 5, 5)
        for matrix in reversed(chain) if flip else chain:
            product = product @ matrix
        torch.testing.assert_close(out @ back, product)
        losses = -product.diagonal(dim1=1, dim2=2).log()
        cycles = walk_cycles(steps, flip)
        torch.testing.assert_close(cycles.losses[i - 1], losses.mean())
        home = product.argmax(-1) == torch.arange(5)
        assert cycles.accuracies[i - 1] == home.double().mean()
    assert len(halves) == 2


def test_rows_sum_to_one_and_dropped_edges_are_not_taken():
    nodes, (ahead, behind) = (
        draw_nodes(),
        (draw_drops((2, 3, 5, 5), seed=s) for s in (1, 2)),
    )
    steps = transitions(nodes, 0.1, ahead, behind, shared_drops=False)
    for matrix in steps:
        torch.testing.assert_close(matrix.sum(-1), torch.ones(2, 3, 5).double())
    alone = ahead.all(-1, keepdim=True)
    assert torch.equal(steps.forward == 0, ahead & ~alone)
    alone = behind.all(-1, keepdim=True)
    assert torch.equal(steps.backward == 0, behind & ~alone)


def test_edges_dropped_forward_stay_dropped_backward():
    nodes, ahead = draw_nodes(), draw_drops((2, 3, 5, 5))
    nothing = torch.zeros_like(ahead)
    shared = transitions(nodes, 0.1, ahead, nothing).backward
    both = ahead.transpose(-1, -2)
    alone = both.all(-1, keepdim=True)
    assert torch.equal(shared == 0, both & ~alone)
    separate = transitions(nodes, 0.1, ahead, nothing, shared_drops=False).backward
    assert torch.all(separate > 0)


def test_a_row_without_edges_is_uniform():
    ahead = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    ahead[0, 0, 1] = True
    steps = transitions(draw_nodes((1, 3, 4, 6)), 0.05, ahead)
    assert torch.equal(steps.forward[0, 0, 1], torch.full((4,), 0.25).double())


def test_the_order_of_nodes_does_not_matter():
    """Nodes of every frame but in another order each: the same ways home."""
    nodes = draw_nodes()
    orders = [
        torch.randperm(5, generator=torch.Generator().manual_seed(t)) for t in range(4)
    ]
    shuffled = torch.stack([nodes[:, t, order] for t, order in enumerate(orders)], 1)
    before = walk_cycles(transitions(nodes, 0.1))
    after = walk_cycles(transitions(shuffled, 0.1))
    torch.testing.assert_close(after.losses, before.losses)
    assert torch.equal(after.accuracies, before.accuracies)


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('shared_drops', [False, True])
def test_gradient(flip, shared_drops):
    drops = [draw_drops((1, 3, 4, 4), seed=s) for s in (1, 2)]

    def losses(nodes):
        steps = transitions(nodes, 0.3, *drops, shared_drops)
        return walk_cycles(steps, flip).losses

    nodes = draw_nodes((1, 4, 4, 3)).requires_grad_()
    assert torch.autograd.gradcheck(losses, (nodes,))


def test_float32_inside_of_autocast():
    nodes = draw_nodes(dtype=torch.float32)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        steps = transitions(nodes, 0.05)
        losses = walk_cycles(steps).losses
    assert steps.forward.dtype == losses.dtype == torch.float32
    assert torch.equal(losses, walk_cycles(transitions(nodes, 0.05)).losses)
    half = nodes.bfloat16()
    steps = transitions(half, 0.05)
    assert torch.equal(steps.forward, transitions(half.float(), 0.05).forward)


def test_two_frames_have_no_cycle():
    cycles = walk_cycles(transitions(draw_nodes((1, 2, 4, 3)), 0.1))
    assert cycles.losses.shape == cycles.accuracies.shape == (0,)


def test_inputs_stay_as_they_are():
    nodes, ahead = draw_nodes(), draw_drops((2, 3, 5, 5))
    copies = nodes.clone(), ahead.clone()
    transitions(nodes, 0.1, ahead, ahead)
    assert torch.equal(nodes, copies[0])
    assert torch.equal(ahead, copies[1])


def test_bad_arguments():
    nodes = draw_nodes((1, 3, 4, 6))
    wrong = torch.zeros(2, 1, 4, 4, dtype=torch.bool)
    with pytest.raises(
        ValueError, match=re.escape('nodes are (3, 4, 6); a walk needs')
    ):
        transitions(nodes[0], 0.1)
    with pytest.raises(ValueError, match='t of at least 2'):
        transitions(nodes[:, :1], 0.1)
    with pytest.raises(ValueError, match='temperature is 0; give a number above 0'):
        transitions(nodes, 0)
    text = 'drop_backward is (2, 1, 4, 4); these nodes have (1, 2, 4, 4) edges'
    with pytest.raises(ValueError, match=re.escape(text)):
        transitions(nodes, 0.1, None, wrong)
    for rate in (-0.1, 1.0):
        text = f'rate of edge dropout is {rate}; give a number in [0, 1)'
        with pytest.raises(ValueError, match=re.escape(text)):
            dropped_edges(torch.rand(2), rate)
