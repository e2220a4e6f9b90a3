from types import SimpleNamespace

import pytest
import torch
from torch import nn

from densecorr.engine.hooks.due import is_due
from densecorr.engine.hooks.parts import find_module, read_scalars


def due(interval, unit, last=True, total=12):
    loop = SimpleNamespace(iters_per_epoch=5)
    runners = (
        SimpleNamespace(iter=i, max_iters=total, train_loop=loop) for i in range(total)
    )
    return [r.iter + 1 for r in runners if is_due(r, interval, unit, last)]


def test_actions_are_counted_from_the_start_of_training():
    assert due(5, 'iter') == [5, 10, 12]
    assert due(5, 'iter', last=False) == [5, 10]
    assert due(1, 'epoch') == [5, 10, 12]
    assert due(2, 'epoch', last=False) == [10]
    assert due(1, 'iter') == list(range(1, 13))


def test_bad_intervals_are_named():
    with pytest.raises(ValueError, match='interval is 0 epoch; give at least 1'):
        due(0, 'epoch')
    with pytest.raises(ValueError, match=r"unit .* is 'step'; choose from \['iter'"):
        due(1, 'step')


def test_scalars_become_floats_in_place():
    outputs = dict(loss=torch.tensor(0.5), half=torch.tensor(2.0).half(), plain=3)
    found = read_scalars(outputs)
    assert found == dict(loss=0.5, half=2.0, plain=3.0)
    assert all(type(value) is float for value in found.values())
    assert outputs is found


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (torch.zeros(1), r"output 'x' .* is a Tensor of shape \(1,\); .* 0-dim"),
        ('high', r"output 'x' .* is a str; an output is a 0-dim tensor or a number"),
    ],
)
def test_outputs_that_are_no_scalars_are_named(value, text):
    with pytest.raises(TypeError, match=text):
        read_scalars(dict(loss=torch.tensor(1.0), x=value))


def test_modules_are_found_by_name():
    model = nn.ModuleDict(dict(backbone=nn.Sequential(nn.Linear(1, 1))))
    assert find_module(model, 'backbone.0', 'it') is model['backbone'][0]
    text = "student is 'backbon', which is no module of ModuleDict. Did you mean 'back"
    with pytest.raises(ValueError, match=text):
        find_module(model, 'backbon', 'student')
