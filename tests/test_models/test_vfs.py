import math
import re

import pytest
import torch

from densecorr.models.losses.simsiam import simsiam
from densecorr.registry import MODELS
from tests import training_toys  # noqa: F401 registers Edges

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def build(intra_video=True, **options):
    torch.manual_seed(0)
    config = dict(
        type='VFS',
        backbone=dict(type='Edges', stride=4),
        inputs=dict(INPUTS),
        loss=dict(intra_video=intra_video),
    )
    config.update(options)
    return MODELS.build(config)


def head(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(type='SimSiamHead', in_channels=8, **options))


def batch(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def feats(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **options)


def test_loss_by_hand():
    east, north = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    assert simsiam(east, east, east, east).item() == pytest.approx(0)
    assert simsiam(east, north, north, -east).item() == pytest.approx(0.5 * 4 + 0)
    assert simsiam(east, east, north, north).item() == pytest.approx(2)
    slanted = torch.tensor([[1.0, 1.0]])
    expected = 0.5 * (2 - 2 / math.sqrt(2)) + 0.5 * 2
    assert simsiam(slanted, east, north, north).item() == pytest.approx(expected)


def test_loss_is_symmetric_and_without_scale():
    p1, z1, p2, z2 = (feats(3, 5, seed=i) for i in range(4))
    losses = simsiam(p1, z1, p2, z2)
    torch.testing.assert_close(losses, simsiam(p2, z2, p1, z1))
    torch.testing.assert_close(losses, simsiam(7 * p1, z1, p2, 0.1 * z2))
    assert ((losses > 0) & (losses < 4)).all()


def test_gradients_reach_the_predictions_alone():
    p1, z1, p2, z2 = (
        feats(2, 3, seed=i, dtype=torch.float64).requires_grad_() for i in range(4)
    )
    assert torch.autograd.gradcheck(lambda a, b: simsiam(a, z1, b, z2), (p1, p2))
    simsiam(p1, z1, p2, z2).sum().backward()
    assert z1.grad is None
    assert z2.grad is None


def test_loss_is_float32_under_autocast():
    p, z = feats(2, 3).bfloat16(), feats(2, 3, seed=1).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert simsiam(p, z, p, z).dtype == torch.float32


def test_every_frame_meets_every_frame():
    p1, z1, p2, z2 = (feats(2, 3, 5, seed=i) for i in range(4))
    losses = MODELS.build(dict(type='SimSiamLoss', intra_video=True))(p1, z1, p2, z2)
    assert losses.shape == (3, 2, 3)
    for roll in range(3):
        for t in range(3):
            other = (t - roll) % 3
            pair = simsiam(p1[:, t], z1[:, t], p2[:, other], z2[:, other])
            torch.testing.assert_close(losses[roll, :, t], pair)
    pairs = MODELS.build(dict(type='SimSiamLoss'))(p1, z1, p2, z2)
    torch.testing.assert_close(pairs, losses[:1])


def test_head_has_the_published_layers():
    shapes = {k: tuple(v.shape) for k, v in head(channels=6).named_parameters()}
    assert shapes['projection_fcs.0.weight'] == (6, 8)
    assert shapes['projection_fcs.6.weight'] == (6, 6)
    assert shapes['predictor_fcs.0.weight'] == (1, 6)
    assert shapes['predictor_fcs.3.bias'] == (6,)
    kinds = [type(layer).__name__ for layer in head().projection_fcs]
    one = ['Linear', 'BatchNorm1d']
    assert kinds == [*one, 'ReLU', *one, 'ReLU', *one]


def test_head_pools_maps():
    module, maps = head().eval(), feats(3, 8, 2, 4)
    z, p = module(maps)
    pooled = maps.mean((2, 3), keepdim=True)
    torch.testing.assert_close(module(pooled).projections, z)
    torch.testing.assert_close(module.predictor_fcs(z), p)


def test_outputs_and_gradients():
    method = build(backbone=dict(type='ResNet', depth=18))
    losses = method.loss(dict(frames=batch(2, 4, 3, 32, 32)), [])
    assert list(losses) == ['loss_similarity', 'feature_std']
    assert 0 < losses['loss_similarity'] < 4
    assert 0 < losses['feature_std'] <= 1
    losses['loss_similarity'].backward()
    assert all(p.grad is not None for p in method.parameters())


def test_groups_have_statistics_of_their_own():
    method, frames = build(), batch(2, 4, 3, 32, 32)
    method.loss(dict(frames=frames), [])
    expected = torch.zeros(8)
    for half in (frames[:, :2], frames[:, 2:]):
        images = method.normalize(half).flatten(0, 1)
        mean = method.backbone.conv(images).mean((0, 2, 3))
        expected = 0.9 * expected + 0.1 * mean
    torch.testing.assert_close(method.backbone.norm.running_mean, expected)


def test_equal_groups_that_predict_themselves_have_no_loss():
    method = build(head=dict(channels=16)).eval()
    method.head.predictor_fcs = torch.nn.Identity()
    frame = batch(1, 1, 3, 32, 32).expand(2, 4, -1, -1, -1)
    loss = method.loss(dict(frames=frame), [])['loss_similarity']
    assert loss.item() == pytest.approx(0, abs=1e-5)


def test_bad_settings():
    for name in ('in_channels', 'channels', 'predictor_channels'):
        with pytest.raises(ValueError, match=rf'^{name} of SimSiamHead is 0; give'):
            head(**{name: 0}) if name != 'in_channels' else MODELS.build(
                dict(type='SimSiamHead', in_channels=0, channels=4)
            )


@pytest.mark.parametrize(
    'shape', [(2, 3, 3, 8, 8), (2, 1, 3, 8, 8), (2, 4, 2, 3, 8, 8)]
)
def test_odd_frames_are_refused(shape):
    text = f'frames of VFS are {shape}; give (b, t, 3, H, W) with an even number t'
    with pytest.raises(ValueError, match=re.escape(text)):
        build().loss(dict(frames=torch.zeros(shape)), [])


def test_a_single_pair_has_no_statistics():
    method, frames = build(intra_video=False), batch(1, 2, 3, 64, 64)
    with pytest.raises(ValueError, match=r'has 1 image, .* Raise batch_size of train'):
        method.loss(dict(frames=frames), [])
    assert method.eval().loss(dict(frames=frames), [])['loss_similarity'] > 0


def test_other_shapes_are_refused():
    p, loss = feats(2, 3, 5), MODELS.build(dict(type='SimSiamLoss'))
    with pytest.raises(ValueError, match=r'shapes \[\(2, 3, 4\), \(2, 3, 5\)\]; give'):
        loss(p, p, p[..., :4], p)
    with pytest.raises(
        ValueError, match=r'predictions of SimSiamLoss are \(3, 5\); gi'
    ):
        loss(p[0], p[0], p[0], p[0])
