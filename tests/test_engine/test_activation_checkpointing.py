import copy

import pytest
import torch
from torch import nn

from densecorr.engine.activation_checkpointing import checkpoint_activations


class Block(nn.Module):
    """Counts its forward passes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3, momentum=None)
        self.drop = nn.Dropout(0.5)
        self.calls = 0

    def forward(self, x, *, scale=1.0):
        self.calls += 1
        return x + scale * self.drop(self.norm(self.conv(x)).relu())


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout())
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, scale=0.5)
        return x


def network():
    torch.manual_seed(0)
    return Network()


def step(model, x):
    """Two optimiser steps; losses, last gradients, final state."""
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    grads = [parameter.grad for parameter in model.parameters()]
    return losses, grads, model.state_dict(), torch.rand(1)


@pytest.mark.parametrize('names', [['stem'], ['blocks.*'], ['stem', 'blocks.1']])
def test_steps_equal_the_plain_ones_bit_for_bit(names):
    x = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(2))
    plain, forgetful = network(), network()
    checkpoint_activations(forgetful, names)
    expected, found = step(plain, x), step(forgetful, x)
    for mine, other in zip(found[:2], expected[:2], strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, other, strict=True))
    assert list(found[2]) == list(expected[2])
    for name, value in expected[2].items():
        assert torch.equal(found[2][name], value), name
    assert int(found[2]['blocks.0.norm.num_batches_tracked']) == 2
    assert torch.equal(found[3], expected[3])  # the generator goes on alike


def test_only_named_parts_run_again_and_only_in_training():
    model = network()
    assert checkpoint_activations(model, ['blocks.1']) == ['blocks.1']
    x = torch.randn(2, 3, 6, 6)
    model(x).sum().backward()
    assert [block.calls for block in model.blocks] == [1, 2]
    model.eval()
    model(x).sum().backward()
    with torch.no_grad():
        model.train()(x)
    assert [block.calls for block in model.blocks] == [3, 4]


def test_activations_are_forgotten():
    def kept(model):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: sizes.append(t.numel()) or t, lambda t: t
        ):
            model(torch.randn(2, 3, 6, 6))
        return sum(sizes)

    forgetful = network()
    checkpoint_activations(forgetful, ['stem', 'blocks.*'])
    assert kept(forgetful) < kept(network()) / 3


def test_parts_inside_of_a_named_part_are_left_to_it():
    model = network()
    names = checkpoint_activations(model, ['blocks.0.conv', 'blocks.*', 'stem.0'])
    assert names == ['blocks.0', 'blocks.1', 'stem.0']


def test_a_copy_runs_its_own_weights():
    model = network()
    checkpoint_activations(model, ['blocks.*'])
    teacher = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.zero_()
    out = teacher(torch.randn(2, 3, 6, 6))
    assert torch.equal(out, torch.zeros_like(out))
    assert [block.calls for block in model.blocks] == [0, 0]


def test_autocast_holds_in_the_second_pass():
    kinds = []

    class Probe(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            kinds.append(out.dtype)
            return out.sigmoid()  # keeps the output, so the second pass comes here

    model = nn.Sequential(Probe(3, 3))
    checkpoint_activations(model, ['0'])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = model(torch.randn(2, 3, requires_grad=True)).sum()
    loss.backward()
    assert kinds == [torch.bfloat16, torch.bfloat16]


def test_bad_names_are_named():
    with pytest.raises(ValueError, match=r"'steam', which is no module of Network"):
        checkpoint_activations(network(), ['steam'])
    with pytest.raises(ValueError, match=r"'blocks', a list of modules.*'blocks\.\*'"):
        checkpoint_activations(network(), ['blocks'])
