import copy
import itertools

import pytest
import torch
import torch.distributed as dist
from mmengine.model import MMDistributedDataParallel
from torch import nn

from densecorr.engine.hooks import FreezeHook
from tests.test_engine.hook_toys import Net, fake_runner, iterate, start

CLIP = dict(clip_grad=dict(max_norm=0.05))


@pytest.fixture
def one_process(tmp_path):
    """A process group of one, for the wrapper of several processes."""
    dist.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1
    )
    yield
    dist.destroy_process_group()


class Joined(MMDistributedDataParallel):
    """Called like the module it wraps."""

    def forward(self, *args):
        return nn.parallel.DistributedDataParallel.forward(self, *args)


def run(*hooks, wrapped=False, times=6, kind=torch.optim.AdamW, **fields):
    """State dicts after every iteration, the first one before any."""
    model = Net()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = kind(trained, lr=0.01, weight_decay=0.1)
    if wrapped:
        model = Joined(model, device_ids=None, broadcast_buffers=False)
    runner = start(*hooks, model=model, optimizer=optimizer, **fields)
    states = []
    for count in range(times + 1):
        if count:
            iterate(runner)
        own = getattr(runner.model, 'module', runner.model)
        states.append(copy.deepcopy(own.state_dict()))
    return runner, states


def changes(states, name):
    return [not torch.equal(a[name], b[name]) for a, b in itertools.pairwise(states)]


def test_frozen_parameters_stay_through_decay_and_moments():
    freeze = FreezeHook(['first.*', 'norm.*'], begin=2, end=4)
    _, states = run(freeze)
    expected = [True, True, False, False, True, True]
    for name in ('first.weight', 'first.bias', 'norm.weight'):
        assert changes(states, name) == expected
    assert changes(states, 'last.weight') == [True] * 6
    assert changes(states, 'norm.running_mean') == expected
    assert changes(states, 'norm.num_batches_tracked') == expected


def test_momentum_of_sgd_does_not_move_them_either():
    def sgd(parameters, **kwargs):
        return torch.optim.SGD(parameters, momentum=0.9, **kwargs)

    _, states = run(FreezeHook('first.*', begin=3), kind=sgd)
    assert changes(states, 'first.weight') == [True] * 3 + [False] * 3


def test_statistics_go_on_where_they_are_not_to_stay():
    _, states = run(FreezeHook('norm.*', eval_mode=False))
    assert changes(states, 'norm.weight') == [False] * 6
    assert changes(states, 'norm.running_mean') == [True] * 6


def test_modules_go_back_to_train_mode():
    runner, _ = run(FreezeHook('norm.*', end=2), times=2)
    assert not runner.model.norm.training
    iterate(runner)
    assert runner.model.norm.training
    assert runner.model.norm.weight.requires_grad


@pytest.mark.parametrize('turned', [False, True])
@pytest.mark.parametrize('wrapped', [False, True])
def test_ranges_may_overlap(one_process, turned, wrapped):
    hooks = [FreezeHook(['norm.*', 'first.*'], 0, 3), FreezeHook('norm.*', 2, 5)]
    _, states = run(*(hooks[::-1] if turned else hooks), wrapped=wrapped)
    assert changes(states, 'norm.weight') == [False] * 5 + [True]
    assert changes(states, 'norm.running_mean') == [False] * 5 + [True]
    assert changes(states, 'first.weight') == [False] * 3 + [True] * 3


def test_epochs_are_a_unit():
    _, states = run(FreezeHook('first.*', begin=1, unit='epoch'), times=7)
    assert changes(states, 'first.weight') == [True] * 5 + [False] * 2


def test_regular_expressions_match_whole_names():
    _, states = run(FreezeHook(r're:first\.(weight|b)'), times=1)
    assert changes(states, 'first.weight') == [False]
    assert changes(states, 'first.bias') == [True]


@pytest.mark.parametrize('fields', [{}, CLIP, dict(accumulative_counts=2)])
def test_wrapped_and_plain_models_freeze_alike(one_process, fields):
    patterns = ['first.*', 'norm.*']
    _, plain = run(FreezeHook(patterns, begin=2, end=4), times=8, **fields)
    _, wrapped = run(FreezeHook(patterns, 2, 4), wrapped=True, times=8, **fields)
    _, free = run(times=8, **fields)
    for one, other in zip(plain, wrapped, strict=True):
        assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert not torch.equal(plain[-1]['first.weight'], free[-1]['first.weight'])


def test_parameters_without_gradients_are_left_so():
    runner, _ = run(FreezeHook(['teacher.*', 'first.*'], end=1), times=2)
    assert not any(p.requires_grad for p in runner.model.teacher.parameters())
    assert all(p.requires_grad for p in runner.model.first.parameters())


def test_one_process_saves_the_backward_pass():
    runner = start(FreezeHook('first.*'))
    iterate(runner)
    assert not runner.model.first.weight.requires_grad
    assert runner.model.first.weight.grad is None


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"has 'frist\.\*', which .*'first\."):
        FreezeHook(['last.*', 'frist.*']).before_train(fake_runner([]))
    with pytest.raises(ValueError, match=r'begin 3, end 3; give .* an end after'):
        FreezeHook('first.*', begin=3, end=3)
    with pytest.raises(ValueError, match=r'has patterns \[\]'):
        FreezeHook([])
    with pytest.raises(ValueError, match="unit of FreezeHook is 'step'"):
        FreezeHook('first.*', unit='step')
