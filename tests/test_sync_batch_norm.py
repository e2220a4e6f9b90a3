"""Our batch norm in two gloo processes against one over the whole batch."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from densecorr.models.layers import SyncBatchNorm, convert_sync_batch_norm

from .two_ranks import run_two_ranks

SIZES = (3, 2)  # of the parts of the batch


def _norms() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    norms = {
        'affine': nn.BatchNorm2d(4, eps=1e-3, momentum=0.3),
        'plain': nn.BatchNorm2d(4, affine=False),
        'average': nn.BatchNorm2d(4, momentum=None),
        'untracked': nn.BatchNorm2d(4, track_running_stats=False),
    }
    for norm in norms.values():
        for parameter in norm.parameters():
            nn.init.normal_(parameter)
    return norms


def _step(norm, x, weights):
    """Two steps: a first one that moves the statistics, then outputs and gradients."""
    norm(x.flip(0) * 2)
    x = x.clone().requires_grad_()
    out = norm(x)
    (out * weights).sum().backward()
    return dict(
        out=out.detach(),
        grad=x.grad,
        **{f'grad_{name}': p.grad for name, p in norm.named_parameters()},
        state={name: value.clone() for name, value in norm.state_dict().items()},
    )


def _network():
    torch.manual_seed(1)
    layers = (nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(4 * 9, 2), nn.BatchNorm1d(2))


def _one_of_two(rank, x, weights):
    mine, part = x.split(SIZES)[rank], weights.split(SIZES)[rank]
    found = {
        name: _step(convert_sync_batch_norm(norm), mine, part)
        for name, norm in _norms().items()
    }
    found['half'] = convert_sync_batch_norm(_norms()['affine'])(mine.bfloat16())
    model = DistributedDataParallel(convert_sync_batch_norm(_network()))
    half, goal = x[:4].chunk(2)[rank], weights[:4, :2, 0, 0].chunk(2)[rank]
    (model(half) - goal).square().mean().backward()
    found['ddp'] = [p.grad for p in model.parameters()]
    try:
        convert_sync_batch_norm(nn.BatchNorm1d(4))(mine[: 1 - rank, :, 0, 0])
    except ValueError as error:
        found['error'] = str(error)
    norm = convert_sync_batch_norm(_norms()['affine']).eval()
    found['eval'] = norm(mine)
    return found


@pytest.fixture(scope='module')
def batch():
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(5, 4, 5, 5, generator=generator) * 3 + 7
    return x, torch.randn(5, 4, 5, 5, generator=generator)


@pytest.fixture(scope='module')
def ranks(batch):
    return run_two_ranks(_one_of_two, *batch)


@pytest.mark.parametrize('name', ['affine', 'plain', 'average', 'untracked'])
def test_two_processes_equal_the_whole_batch(name, batch, ranks):
    x, weights = batch
    expected = _step(_norms()[name], x, weights)
    for key in ('out', 'grad'):
        both = torch.cat([found[name][key] for found in ranks])
        torch.testing.assert_close(both, expected[key], atol=5e-6, rtol=1e-5)
    for key in expected:
        if key.startswith('grad_'):
            both = sum(found[name][key] for found in ranks)
            torch.testing.assert_close(both, expected[key], atol=5e-5, rtol=1e-5)
    for found in ranks:
        state = found[name]['state']
        assert list(state) == list(expected['state'])
        torch.testing.assert_close(state, expected['state'], atol=0, rtol=2e-6)
    one, other = (found[name]['state'] for found in ranks)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_gradients_of_a_network_equal_those_of_the_whole_batch(batch, ranks):
    x, weights = batch
    model = _network()
    (model(x[:4]) - weights[:4, :2, 0, 0]).square().mean().backward()
    for found in ranks:
        for mine, parameter in zip(found['ddp'], model.parameters(), strict=True):
            torch.testing.assert_close(mine, parameter.grad, atol=2e-6, rtol=1e-4)


def test_half_precision_keeps_its_kind_and_float32_moments(batch, ranks):
    found = torch.cat([one['half'] for one in ranks])
    assert found.dtype == torch.bfloat16
    expected = _norms()['affine'](batch[0].bfloat16().float())
    assert ((found - expected).abs() <= 2**-8 * expected.abs() + 1e-6).all()


def test_one_value_per_channel_is_an_error(ranks):
    for found in ranks:
        assert 'one value per channel together' in found['error']
        assert 'Give them larger batches' in found['error']


def test_evaluation_is_plain(batch, ranks):
    found = torch.cat([one['eval'] for one in ranks])
    assert torch.equal(found, _norms()['affine'].eval()(batch[0]))


def test_one_process_is_plain_bit_for_bit(batch):
    for norm in _norms().values():
        own = convert_sync_batch_norm(copy.deepcopy(norm))
        expected, found = _step(norm, *batch), _step(own, *batch)
        assert list(found['state']) == list(expected['state'])
        for key in ('out', 'grad'):
            assert torch.equal(found[key], expected[key])
        for key, value in expected['state'].items():
            assert torch.equal(found['state'][key], value)


def test_conversion_keeps_parameters_and_modes():
    model = _network()
    model[1].eval()
    model[1].weight.requires_grad_(False)
    before = {name: value.data_ptr() for name, value in model.state_dict().items()}
    parameters = list(model.parameters())
    assert convert_sync_batch_norm(model) is model
    after = {name: value.data_ptr() for name, value in model.state_dict().items()}
    assert after == before
    assert isinstance(model[1], SyncBatchNorm) and isinstance(model[5], SyncBatchNorm)
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert (model[1].training, model[5].training) == (False, True)
    assert convert_sync_batch_norm(model[1]) is model[1]


def test_cuda_gets_the_layer_of_torch():
    model, plain = _network(), _network()
    assert convert_sync_batch_norm(model, 'cuda') is model
    assert isinstance(model[1], nn.SyncBatchNorm)
    assert list(model.state_dict()) == list(plain.state_dict())


def test_shape_is_checked():
    norm = convert_sync_batch_norm(nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match=r'input is \(2, 3\); it should be \(b, 4, '):
        norm(torch.zeros(2, 3))
