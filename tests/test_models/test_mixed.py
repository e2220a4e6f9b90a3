"""Mixed recipes: parts share weights, weights of losses, gradients, what is refused."""

from types import SimpleNamespace

import pytest
import torch

from densecorr.engine.hooks import LossGradientsHook, ScheduledValuesHook
from densecorr.ops.gradients import gradient_agreement
from densecorr.registry import MODELS

from . import test_catmae

SAMPLES = test_catmae.SAMPLES
CATMAE = dict(type='CatMAE', decoder=test_catmae.DECODER, mask_ratios=(0.75, 0.75))
CRW = dict(
    type='CRW',
    weight=0.5,
    head=dict(type='ProjectionHead', out_channels=8, depth=0),
    backbone=dict(out_indices=(0,)),
)


def build(backbone=None, **parts):
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='Mixed',
            backbone=test_catmae.VIT | (backbone or {}),
            inputs=test_catmae.INPUTS,
            parts=parts,
        )
    )


def both(**changes):
    return build(catmae=CATMAE, crw=CRW | changes)


def test_parts_share_the_weights_which_are_saved_once():
    method = both()
    crw, catmae = method.parts['crw'], method.parts['catmae']
    block = method.backbone.model.blocks[0]
    assert crw.backbone.model.blocks[0] is catmae.backbone.model.blocks[0] is block
    assert (crw.backbone.out_indices, catmae.backbone.out_indices) == ((0,), (1,))
    names = [name for name in method.state_dict() if 'blocks.0.attn.qkv' in name]
    assert names == [f'backbone.blocks.0.attn.qkv.{k}' for k in ('weight', 'bias')]
    again = both()
    with torch.no_grad():
        method.backbone.model.cls_token.fill_(3)
    again.load_state_dict(method.state_dict())
    assert float(again.parts['crw'].backbone.model.cls_token.mean()) == 3
    method.eval()
    assert not block.training
    assert not crw.backbone.training


def test_one_part_is_the_method_alone():
    method, alone = build(only=CATMAE).eval(), test_catmae.build().eval()
    alone.backbone.load_state_dict(method.backbone.state_dict())
    alone.decoder.load_state_dict(method.parts['only'].decoder.state_dict())
    inputs = test_catmae.clips()
    expected = alone.loss(inputs, SAMPLES)
    found = method.loss(inputs, SAMPLES)
    assert list(found) == [f'only/{name}' for name in expected]
    for name, value in expected.items():
        torch.testing.assert_close(found[f'only/{name}'], value, rtol=0, atol=0)


def test_weights_of_parts_and_of_single_losses():
    inputs = test_catmae.clips()
    plain = both(weight=1.0, edge_dropout=0.0).eval().loss(inputs, SAMPLES)
    half = both(edge_dropout=0.0).eval().loss(inputs, SAMPLES)
    single = both(edge_dropout=0.0, loss_weights=dict(loss_walk=3))
    third = single.eval().loss(inputs, SAMPLES)
    walk = plain['crw/loss_walk']
    torch.testing.assert_close(half['crw/loss_walk'], 0.5 * walk)
    torch.testing.assert_close(third['crw/loss_walk'], 1.5 * walk)
    assert half['crw/feature_std'] == plain['crw/feature_std']
    total, _ = single.parse_losses(third)
    losses = [value for name, value in third.items() if 'loss' in name]
    assert len(losses) == 3
    torch.testing.assert_close(total, sum(losses))


def test_the_second_part_draws_noise_of_its_own():
    seen = []
    method = build(one=CATMAE, two=CATMAE)
    for part in method.parts.values():
        part.decoder.register_forward_pre_hook(lambda _, args: seen.append(args[2][0]))
    method.loss(test_catmae.clips(), SAMPLES)
    assert not torch.equal(*seen)


def test_a_part_may_see_some_of_the_frames():
    one = dict(CATMAE, mask_ratios=(0.75,), weights=(1.0,))
    inputs = test_catmae.clips()
    last = build(one=one | dict(frames=[0, 2])).eval().loss(inputs, SAMPLES)
    other = dict(frames=inputs['frames'][:, [0, 2]])
    expected = build(one=one).eval().loss(other, SAMPLES)
    torch.testing.assert_close(last, expected, rtol=0, atol=0)
    with pytest.raises(
        ValueError, match=r"'one' of Mixed sees frames \[3\]; .* 0 to 2"
    ):
        build(one=one | dict(frames=[3])).loss(inputs, SAMPLES)


def test_agreement_by_hand():
    x = torch.tensor([3.0, 4.0], requires_grad=True)
    unused = torch.ones(2, requires_grad=True)
    losses = dict(a=x.sum(), b=(x * x).sum() / 2, c=-2 * x.sum(), d=0 * x.sum())
    found = gradient_agreement(losses, [x, unused])
    norms = {name: round(float(value), 4) for name, value in found.norms.items()}
    assert norms == dict(a=round(2**0.5, 4), b=5, c=round(8**0.5, 4), d=0)
    assert float(found.cosines['a', 'b']) == pytest.approx(7 / (5 * 2**0.5))
    assert float(found.cosines['a', 'c']) == pytest.approx(-1)
    assert float(found.cosines['c', 'd']) == 0
    assert x.grad is None
    assert list(found.cosines) == [(a, b) for a in 'abc' for b in 'abcd' if a < b]


def test_gradients_are_put_out_where_asked_for():
    method, inputs = both().eval(), test_catmae.clips()
    assert not any('gradients' in name for name in method.loss(inputs, SAMPLES))
    method.measure_gradients = True
    found = method.loss(inputs, SAMPLES)
    wanted = {f'norm_{part}' for part in method.parts} | {'cosine_catmae_crw'}
    assert {k[10:] for k in found if k.startswith('gradients/')} == wanted
    assert -1 <= float(found['gradients/cosine_catmae_crw']) <= 1
    total, outputs = method.parse_losses(found)
    assert all(p.grad is None for p in method.parameters())
    total.backward()  # the graph is still there
    part = method.loss(inputs, SAMPLES)['crw/loss_walk']
    shared = [p for p in method.backbone.parameters() if p.requires_grad]
    grads = torch.autograd.grad(part, shared, allow_unused=True)
    norm = sum(float(g.square().sum()) for g in grads if g is not None) ** 0.5
    assert float(outputs['gradients/norm_crw']) == pytest.approx(norm, rel=1e-4)
    with torch.no_grad():
        assert 'gradients/norm_crw' not in method.loss(inputs, SAMPLES)


def runner_of(method, iteration, max_iters=100):
    return SimpleNamespace(
        model=method,
        iter=iteration,
        max_iters=max_iters,
        train_loop=SimpleNamespace(iters_per_epoch=10),
    )


def test_hook_asks_now_and_then():
    method, hook = both(), LossGradientsHook(interval=20, parts=['crw'])
    hook.before_train(runner_of(method, 0))
    due = []
    for iteration in range(50):
        hook.before_train_iter(runner_of(method, iteration, 50), iteration)
        due += [iteration + 1] if method.measure_gradients else []
    assert due == [20, 40, 50]


def test_weight_of_a_part_can_be_scheduled():
    method = both()
    values = [
        dict(target='parts.crw.weight', schedule=dict(type='linear', start=1, end=0))
    ]
    hook, runner = ScheduledValuesHook(values), runner_of(method, 50)
    runner.hooks, runner.optim_wrapper = (
        [],
        SimpleNamespace(optimizer=SimpleNamespace(param_groups=[])),
    )
    hook.before_train(runner)
    hook.before_train_iter(runner, 50)
    assert 0 < method.parts['crw'].weight < 1


def test_what_is_refused():
    with pytest.raises(KeyError, match=r"'DULL' is not in .* Did you mean 'DUL'"):
        build(dul=dict(type='DULL'))
    with pytest.raises(ValueError, match='which is no method that can be a part'):
        build(net=dict(type='TimmFeatures'))
    with pytest.raises(ValueError, match=r'parts of Mixed are .*; give at least one'):
        build(crw=None)
    with pytest.raises(ValueError, match="without 'loss', which tells"):
        build(loss_of_crw=CRW)
    with pytest.raises(
        ValueError, match=r"weight of part 'crw' of Mixed is 0; .*=None"
    ):
        both(weight=0)
    with pytest.raises(ValueError, match="part 'crw' of Mixed changes its backbone"):
        both(backbone=dict(depth=1))
    method = both(loss_weights=dict(loss_wolk=2.0))
    text = r"name 'loss_wolk', which is no loss of CRW\. Did you mean 'loss_walk'"
    with pytest.raises(KeyError, match=text):
        method.loss(test_catmae.clips(), SAMPLES)
    hook = LossGradientsHook(parts=['crv'])
    text = r"part 'crv', which model.parts does not define\. Did you mean 'crw'"
    with pytest.raises(KeyError, match=text):
        hook.before_train(runner_of(method, 0))
    with pytest.raises(ValueError, match='is for the method Mixed, this one is CatMAE'):
        LossGradientsHook().before_train(runner_of(test_catmae.build(), 0))
    with pytest.raises(ValueError, match='interval of LossGradientsHook is 0'):
        LossGradientsHook(interval=0)
    teacher = dict(type='ResNet', depth=18, out_indices=(3,))
    teacher = dict(backbone=teacher, inputs=test_catmae.INPUTS)
    part = dict(type='SpaThenTemp', teacher=teacher)
    resnet = dict(type='ResNet', depth=18, out_indices=(1, 2, 3))
    with pytest.raises(ValueError, match=r"has \['teacher'\], networks that are never"):
        MODELS.build(
            dict(
                type='Mixed',
                backbone=resnet,
                inputs=dict(color='lab', mean=(50.0, 0.0, 0.0), std=(50.0, 50.0, 50.0)),
                parts=dict(second=part),
            )
        )
