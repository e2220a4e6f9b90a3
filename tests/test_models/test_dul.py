"""DUL: the loss against its literal form, the method's two passes, what is refused."""

import math

import pytest
import torch
import torch.nn.functional as F

from densecorr.apis.benchmarks.dul_loss import Case, literal_loss, make_case
from densecorr.models.losses.dul import dul_loss, pseudo_labels, view_contrast
from densecorr.registry import MODELS

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
IDENTITY = torch.tensor([[1.0, 0, 0], [0, 1, 0]])


def doubled(case):
    """The case in float64."""
    leaves = [maps.detach().double().requires_grad_() for maps in case[:2]]
    return case._replace(main=leaves[0], first=leaves[1], others=case.others.double())


@pytest.mark.parametrize('sizes', [(2, 2, 8, 16, 4), (3, 4, 12, 8, 6)])
@pytest.mark.parametrize('double', [False, True])
def test_equals_the_literal_form(sizes, double):
    case = make_case(*sizes)
    case = doubled(case) if double else case
    terms = dul_loss(*case)
    loss, literal = terms.temporal + 0.1 * terms.cross_view, literal_loss(case)
    exact = dict(rtol=0, atol=1e-12 if double else 1e-5)
    torch.testing.assert_close(loss, literal, **exact)
    leaves = [case.main, case.first]
    found = torch.autograd.grad(loss, leaves)
    torch.testing.assert_close(found, torch.autograd.grad(literal, leaves), **exact)
    assert all(grad.abs().max() > 0 for grad in found)


def test_gradients_are_those_of_finite_differences():
    case = doubled(make_case(2, 2, 4, 3, 2))._replace(temperature=0.5)

    def loss(main, first):
        terms = dul_loss(*case._replace(main=main, first=first))
        return terms.temporal + terms.cross_view

    assert torch.autograd.gradcheck(loss, (case.main, case.first))


def test_a_place_is_most_like_the_anchor_of_its_clip():
    own, other = torch.eye(4)[:2], torch.eye(4)[2:]
    feats = torch.stack([torch.eye(4)[[1, 0, 2]], torch.eye(4)[[3, 2, 3]]])
    labels = pseudo_labels(feats, torch.stack([own, other]))
    assert labels.tolist() == [[1, 0, 0], [3, 2, 3]]  # row 2 is like none of its own


def test_equal_features_cost_the_logarithm_of_the_number_of_classes():
    b, t, k, side = 2, 3, 4, 4
    maps = F.normalize(torch.ones(b, t, 5, side, side), dim=2)
    anchors = torch.tensor([[0, 2, 8, 10]] * b)
    case = Case(
        maps, maps[:, 0], maps[:, 1:], IDENTITY.expand(b, -1, -1), anchors, anchors
    )
    terms = dul_loss(*case)
    assert float(terms.temporal) == pytest.approx(math.log(b * k), abs=1e-5)
    assert float(terms.cross_view) == pytest.approx(float(terms.temporal), abs=1e-5)
    assert terms.labels.shape == (b, t - 1, side**2)


def test_distinct_places_are_found_in_the_other_view():
    here = torch.eye(6)
    assert float(view_contrast(here, here, 0.05)) < 1e-6
    assert float(view_contrast(here, here.flip(0), 0.05)) > 10


def build(**options):
    torch.manual_seed(0)
    backbone = dict(type='DULNet', outputs=('key',), dim=8)
    settings = dict(grid=4, pair_grid=2) | options
    return MODELS.build(dict(type='DUL', backbone=backbone, inputs=INPUTS, **settings))


def batch(b=2, t=3, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    views = torch.randint(
        0, 256, (2, b, t, 3, side, side), generator=generator, dtype=torch.uint8
    )
    theta = IDENTITY.expand(b, -1, -1)
    return dict(frames=views[0], second_frames=views[1], theta=theta)


SAMPLES = [dict(seed=5), dict(seed=6)]


def test_outputs_and_gradients():
    method = build()
    losses = method.loss(batch(), SAMPLES)
    names = ['loss_temporal', 'loss_cross_view', 'anchors_used', 'feature_std']
    assert list(losses) == names
    assert all(value.ndim == 0 for value in losses.values())
    assert 0 < losses['anchors_used'] <= 1
    total, _ = method.parse_losses(losses)
    total.backward()
    assert all(p.grad is not None for p in method.parameters())


def test_the_seeds_of_the_clips_draw_the_grids():
    method, inputs = build().eval(), batch()

    def total(samples, **given):
        losses = method.loss(inputs | given, samples)
        return float(method.parse_losses(losses)[0].detach())

    first = total(SAMPLES)
    assert total(SAMPLES) == first
    assert len({total([dict(seed=s), dict(seed=6)]) for s in range(8)}) > 1
    zeros = torch.zeros(2, 2, dtype=torch.long)
    offsets = dict(anchor_offsets=zeros, pair_offsets=zeros)
    assert total([], **offsets) == total(SAMPLES, **offsets)
    with pytest.raises(ValueError, match='carry no `seed`'):
        total([])


def test_passes_and_statistics():
    images = []
    counts = {}
    for block_bn in (False, True):
        method = build(block_bn=block_bn).train()
        norm = method.backbone.backbone.bn1
        seen = []
        method.backbone.register_forward_pre_hook(
            lambda net, args, seen=seen: seen.append(
                (len(args[0]), net.training, torch.is_grad_enabled())
            )
        )
        method.loss(batch(), SAMPLES)
        images.append(seen)
        counts[block_bn] = int(norm.num_batches_tracked)
        assert method.backbone.training
    assert images[0] == [(2 * 4, True, True), (2 * 2, True, False)]
    assert images[1] == [(2 * 4, True, True), (2 * 2, False, False)]
    assert counts == {False: 2, True: 1}


def test_what_is_refused():
    method, inputs = build(), batch()
    with pytest.raises(ValueError, match=r'grid of DUL is 0'):
        build(grid=0)
    with pytest.raises(ValueError, match='temperature of DULLoss is 0'):
        build(loss=dict(temperature=0))
    with pytest.raises(KeyError, match=r"lack \['second_frames', 'theta'\]"):
        method.loss(dict(frames=inputs['frames']), SAMPLES)
    with pytest.raises(ValueError, match='t of at least 2: raise num_frames'):
        method.loss(batch(t=1), SAMPLES)
    with pytest.raises(ValueError, match='both views have one shape'):
        method.loss(inputs | dict(second_frames=inputs['frames'][..., :8]), SAMPLES)
    with pytest.raises(ValueError, match=r'a map of 2x2 .* no regular grid of 4x4'):
        method.loss(batch(side=16), SAMPLES)
    with pytest.raises(ValueError, match=r'a map of 5x5 .* Change the grid, or the c'):
        method.loss(batch(side=40), SAMPLES)
    with pytest.raises(ValueError, match=r'features of the two views and theta are'):
        dul_loss(*make_case(2, 2, 8, 4, 4)._replace(theta=torch.zeros(1, 2, 3)))
