import copy

import pytest
import torch
from torch import nn

from densecorr.ops.ema import ema_update_


def pair():
    torch.manual_seed(0)
    old = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    new = copy.deepcopy(old)
    for value in (*new.parameters(), new[1].running_mean, new[1].running_var):
        value.data.add_(torch.rand_like(value) + 1)
    new[1].num_batches_tracked += 5
    return old, new


def test_the_decay_is_the_weight_of_the_old_value():
    old, new = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 6.0])
    ema_update_(old, new, 0.75)
    assert torch.equal(old, torch.tensor([1.5, 3.0]))
    assert torch.equal(new, torch.tensor([3.0, 6.0]))


@pytest.mark.parametrize('decay', [0.0, 1.0])
def test_the_ends_are_exact(decay):
    old, new = torch.rand(100) * 1e3, torch.rand(100) * 1e-3
    expected = (old if decay else new).clone()
    ema_update_(old, new, decay)
    assert torch.equal(old, expected)


def test_parameters_of_modules_are_averaged_and_integers_copied():
    old, new = pair()
    before, source = copy.deepcopy(old.state_dict()), copy.deepcopy(new.state_dict())
    ema_update_(old, new, 0.9, buffers='average')
    for name, value in old.state_dict().items():
        if name.endswith('num_batches_tracked'):
            assert int(value) == 5
        else:
            expected = 0.9 * before[name] + 0.1 * source[name]
            torch.testing.assert_close(value, expected)
    assert all(torch.equal(v, source[k]) for k, v in new.state_dict().items())


@pytest.mark.parametrize('buffers', ['copy', 'keep'])
def test_buffers_can_be_copied_or_kept(buffers):
    old, new = pair()
    kept = {name: value.clone() for name, value in old.named_buffers()}
    ema_update_(old, new, 0.9, buffers)
    source = kept if buffers == 'keep' else dict(new.named_buffers())
    assert len(source) == 3
    for name, value in old.named_buffers():
        assert torch.equal(value, source[name])


def test_many_updates_approach_a_constant_student():
    old, new = torch.zeros(1), torch.ones(1)
    for _ in range(10):
        ema_update_(old, new, 0.5)
    assert float(old) == 1 - 0.5**10


def test_a_teacher_of_other_precision_keeps_it():
    old = torch.zeros(2, dtype=torch.bfloat16)
    ema_update_(old, torch.ones(2), 0.5)
    assert old.dtype == torch.bfloat16
    assert torch.equal(old.float(), torch.full((2,), 0.5))


def test_a_teacher_with_gradients_can_be_averaged():
    old = torch.zeros(2, requires_grad=True)
    ema_update_(old, torch.ones(2, requires_grad=True), 0.5)
    assert old.grad_fn is None
    assert old.tolist() == [0.5, 0.5]


def test_bad_arguments_are_named():
    old, new = pair()
    with pytest.raises(ValueError, match=r'ema_decay is 1\.5; .* lies in \[0, 1\]'):
        ema_update_(old, new, 1.5)
    with pytest.raises(ValueError, match=r"buffers is 'mean'; choose from .*'average'"):
        ema_update_(old, new, 0.5, 'mean')
    with pytest.raises(TypeError, match='cannot average a Sequential with a Tensor'):
        ema_update_(old, torch.ones(1), 0.5)
    with pytest.raises(ValueError, match=r'old tensor is \(1,\), the new one \(2,\)'):
        ema_update_(torch.ones(1), torch.ones(2), 0.5)


def test_modules_of_other_names_or_shapes_are_refused_unchanged():
    old, _ = pair()
    before = copy.deepcopy(old.state_dict())
    wider = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4))
    text = r'0\.weight is \(4, 3\) in the old and \(4, 5\) in the new'
    with pytest.raises(ValueError, match=text):
        ema_update_(old, wider, 0.5)
    other = nn.Sequential(nn.Linear(3, 4), nn.Identity(), nn.Linear(4, 4))
    with pytest.raises(ValueError, match=r'only the old has 1\.bias.*and 2 more'):
        ema_update_(old, other, 0.5)
    assert all(torch.equal(v, before[k]) for k, v in old.state_dict().items())
