import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from densecorr.engine.optim import AutocastOptimWrapper
from densecorr.registry import OPTIM_WRAPPERS


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def wrap(model, **options):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return AutocastOptimWrapper(optimizer, **options)


def train(model, wrapper, batches):
    for batch in batches:
        with wrapper.optim_context(model):
            loss = model(batch).float().square().mean()
        wrapper.update_params(loss)


def test_forward_pass_is_bfloat16_and_the_rest_float32():
    model = network()
    wrapper = wrap(model)
    with wrapper.optim_context(model):
        out = model(torch.randn(3, 4))
    assert out.dtype == torch.bfloat16
    assert model(torch.randn(3, 4)).dtype == torch.float32
    wrapper.backward(out.float().sum())
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}
    wrapper.step()
    state = wrapper.optimizer.state_dict()['state'][0]
    assert state['exp_avg'].dtype == torch.float32


def test_steps_are_those_of_autocast_written_out():
    batches = torch.randn(3, 5, 4)
    model, other = network(), network()
    train(model, wrap(model), batches)
    optimizer = torch.optim.AdamW(other.parameters(), lr=0.01)
    for batch in batches:
        with torch.autocast('cpu', dtype=torch.bfloat16):
            loss = other(batch).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for mine, expected in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, expected)


def test_accumulated_steps_equal_one_large_step():
    batch = torch.randn(6, 4)
    model, parts = network(), network()
    train(model, wrap(model), [batch])
    train(parts, wrap(parts, accumulative_counts=2), batch.chunk(2))
    for mine, expected in zip(parts.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=1e-3)
        assert not torch.equal(mine, network().state_dict()['0.weight'])


def test_gradients_are_clipped():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = AutocastOptimWrapper(optimizer, clip_grad=dict(max_norm=0.01))
    before = copy.deepcopy(model)
    train(model, wrapper, [torch.randn(5, 4) * 100])
    pairs = zip(model.parameters(), before.parameters(), strict=True)
    moved = torch.stack([(a - b).norm() for a, b in pairs]).norm()
    assert moved.item() == pytest.approx(0.01, rel=1e-3)


def test_a_pass_without_gradients_first_does_not_cost_them():
    model = network()
    wrapper = wrap(model)
    with wrapper.optim_context(model):
        with torch.no_grad():
            model(torch.randn(3, 4))  # a teacher's, say
        loss = model(torch.randn(3, 4)).float().sum()
    wrapper.backward(loss)
    assert all(bool(p.grad.abs().sum() > 0) for p in model.parameters())


def test_resumed_steps_equal_the_unbroken_ones():
    batches = torch.randn(4, 5, 4)
    model, other = network(), network()
    train(model, wrap(model), batches)
    first = wrap(other)
    train(other, first, batches[:2])
    resumed = wrap(other)
    resumed.load_state_dict(copy.deepcopy(first.state_dict()))
    train(other, resumed, batches[2:])
    for mine, expected in zip(other.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, expected)


def test_states_of_other_precisions_are_taken():
    model = network()
    wrapper = wrap(model)
    train(model, wrapper, torch.randn(1, 5, 4))
    state = wrapper.state_dict()
    assert 'loss_scaler' not in state
    plain = OptimWrapper(torch.optim.AdamW(model.parameters()))
    plain.load_state_dict(copy.deepcopy(state))
    state['loss_scaler'] = dict(scale=2.0)  # of a float16 run
    kept = dict(state)
    wrap(model).load_state_dict(state)
    assert state.keys() == kept.keys()


def test_it_is_built_by_name():
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1)
    config = dict(type='AutocastOptimWrapper', optimizer=optimizer, dtype='bfloat16')
    assert isinstance(OPTIM_WRAPPERS.build(config), AutocastOptimWrapper)


class FakeScaler:
    """Records the calls of a GradScaler; scales by four."""

    def __init__(self):
        self.calls, self.factor = [], 4.0

    def is_enabled(self):
        return True

    def scale(self, loss):
        return loss * self.factor

    def unscale_(self, optimizer):
        self.calls.append('unscale')
        for group in optimizer.param_groups:
            for parameter in group['params']:
                parameter.grad /= self.factor

    def step(self, optimizer):
        self.calls.append('step')
        optimizer.step()

    def update(self, factor):
        self.calls.append('update')

    def state_dict(self):
        return dict(factor=self.factor)

    def load_state_dict(self, state):
        self.factor = state['factor']


def test_clipping_sees_gradients_without_the_scale():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    wrapper = AutocastOptimWrapper(optimizer, clip_grad=dict(max_norm=1e9))
    wrapper.scaler = FakeScaler()
    plain = network()
    train(model, wrapper, [torch.ones(5, 4)])
    other = AutocastOptimWrapper(torch.optim.SGD(plain.parameters(), lr=1.0))
    train(plain, other, [torch.ones(5, 4)])
    assert wrapper.scaler.calls == ['unscale', 'step', 'update']
    for mine, expected in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)


def test_the_scale_is_saved_and_restored():
    model = network()
    wrapper, other = wrap(model), wrap(model)
    wrapper.scaler, other.scaler = FakeScaler(), FakeScaler()
    wrapper.scaler.factor = 32.0
    other.load_state_dict(wrapper.state_dict())
    assert other.scaler.factor == 32.0


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(dtype='float16'), r"float16 is trained on CUDA only.*on cpu.*'bfloat16'"),
        (dict(dtype='float8'), r"is 'float8'; it should be one of \['bfloat16', 'fl"),
        (dict(loss_scale='static'), r"loss_scale is 'static'; it should be 'dynamic'"),
        (dict(loss_scale=-1.0), r'loss_scale is -1\.0; it should be'),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        wrap(network(), **options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_float16_scales_the_loss_and_skips_overflows():
    model = network().cuda()
    wrapper = wrap(model, dtype='float16', clip_grad=dict(max_norm=1.0))
    train(model, wrapper, torch.randn(3, 5, 4, device='cuda'))
    assert wrapper.state_dict()['loss_scaler']['scale'] > 1
    before = copy.deepcopy(model.state_dict())
    train(model, wrapper, [torch.full((5, 4), torch.inf, device='cuda')])
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
