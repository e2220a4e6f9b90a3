import re

import pytest
import torch

from densecorr.models.losses.color_reconstruction import color_reconstruction
from densecorr.models.losses.correlation_distillation import (
    global_distillation,
    local_distillation,
)
from densecorr.models.methods.spa_then_temp import without_channel
from densecorr.registry import MODELS, TRANSFORMS

LAB = dict(color='lab', mean=(50.0, 0.0, 0.0), std=(50.0, 127.0, 127.0))
RGB = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
STUDENT = dict(
    type='ResNet', strides=(1, 2, 2, 4), pool='none', out_indices=(1, 2, 3), depth=18
)
TEACHER = dict(type='ResNet', out_indices=(3,), depth=18)
OUTPUTS = ['loss_reconstruction_0', 'loss_reconstruction_1', 'loss_local']


def build(teacher=None, **options):
    torch.manual_seed(0)
    if teacher is not None:
        teacher = dict(backbone=dict(TEACHER, **teacher), inputs=dict(RGB))
    config = dict(backbone=dict(STUDENT), inputs=dict(LAB), radii=(4, 2), **options)
    return MODELS.build(dict(config, type='SpaThenTemp', teacher=teacher))


def clips(size=64, batch=2, **more):
    generator = torch.Generator().manual_seed(0)
    shape = (batch, 2, size // 8, size // 8, 3)
    frames = torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    frames = frames.repeat_interleave(8, 2).repeat_interleave(8, 3).numpy()
    to_lab = TRANSFORMS.build(dict(type='ClipToLab'))
    pack = TRANSFORMS.build(dict(type='PackClip', keys=['images_lab']))
    packed = [pack(to_lab.apply(dict(frames=clip)))['inputs'] for clip in frames]
    inputs = {name: torch.stack([p[name] for p in packed]) for name in packed[0]}
    return {**inputs, **more}


def seeds(*values):
    return [dict(seed=value) for value in values]


def maps(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_reconstruction_by_hand():
    target = torch.tensor([[[[0.0, 0.01], [0.0, 1.0]]]])
    # 20 y: differences 0, 0.2, 0, 20 of which the second is in the quadratic part
    loss = color_reconstruction(torch.zeros(1, 1, 2, 2), target)
    assert loss.item() == pytest.approx((0.2**2 / 2 + 19.5) / 4)
    small = torch.tensor([[[[1.0, 3.0]]]])
    target = torch.tensor([[[[1.0, 1.5, 2.5, 3.0]]]])  # half-pixel centres
    assert color_reconstruction(small, target).item() == pytest.approx(0)


def test_local_distillation_by_hand():
    """Two positions, the second without weight; windows of radius 1 in a row of 2."""
    student, target = torch.zeros(1, 1, 2, 3, 3), torch.zeros(1, 1, 2, 1, 1)
    student[0, 0, 0, 1, 1], student[0, 0, 0, 1, 2] = 0.75, 0.25
    target[...] = 0.25
    weight = torch.tensor([[[2.0, 0.0]]])
    loss = local_distillation(student, target, weight)
    assert loss.item() == pytest.approx(2 * (0.5**2 + 0.25**2) / (2 * 2))
    assert local_distillation(student, target, torch.zeros(1, 1, 2)).item() == 0


def test_pool_and_detach_of_the_local_loss():
    student, fine = maps(1, 4, 4, 3, 3), maps(1, 4, 4, 3, 3, seed=1).requires_grad_()
    weight = torch.ones(1, 4, 4, dtype=torch.float64)

    def loss(**options):
        module = MODELS.build(dict(type='LocalDistillationLoss', weight=2, **options))
        return module(student, fine, weight)

    torch.testing.assert_close(
        loss(), 2 * local_distillation(student, fine / 4, weight)
    )
    torch.testing.assert_close(
        loss(pool='sum'), 2 * local_distillation(student, fine, weight)
    )
    assert not loss().requires_grad
    loss(detach=False).backward()
    assert fine.grad.abs().sum() > 0


def test_losses_have_true_gradients():
    weight = maps(1, 3, 3).abs().requires_grad_()
    student, target = (maps(1, 3, 3, 3, 3, seed=s).requires_grad_() for s in range(2))
    inputs = (student, target, weight)
    assert torch.autograd.gradcheck(local_distillation, inputs, fast_mode=True)
    colors = maps(1, 1, 6, 6) * 0.1
    moved = maps(1, 1, 3, 3).mul(0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda y: color_reconstruction(y, colors), moved)
    pair = [maps(1, 2, 2, 2, seed=s).requires_grad_() for s in range(4)]
    assert torch.autograd.gradcheck(
        lambda a, b: global_distillation((a, b), (pair[2], pair[3])), pair[:2]
    )
    global_distillation((pair[0], pair[1]), (pair[2], pair[3])).backward()
    assert pair[2].grad is None


def test_equal_correlations_have_no_global_loss():
    pair = maps(1, 4, 3, 3), maps(1, 4, 3, 3, seed=1)
    assert global_distillation(pair, pair, temperature=2.0).item() == 0  # sqrt(4)
    scaled = tuple(5 * feats for feats in pair)
    first, second = (global_distillation(pair, p, unit=True) for p in (pair, scaled))
    torch.testing.assert_close(first, second)


def test_outputs_and_gradients():
    method = build(teacher={}).train()
    before = {k: v.clone() for k, v in method.teacher.state_dict().items()}
    losses = method.loss(clips(), seeds(1, 2))
    assert list(losses) == [*OUTPUTS, 'loss_global', 'selected_share', 'feature_std']
    assert 0 < losses['selected_share'] < 1
    assert not method.teacher.training
    total, _ = method.parse_losses(losses)
    total.backward()
    assert all(p.grad is not None for p in method.backbone.parameters())
    assert not any(p.requires_grad for p in method.teacher.parameters())
    after = method.teacher.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_without_teacher_the_last_stage_rests():
    method = build().train()
    losses = method.loss(clips(), seeds(1, 2))
    assert list(losses) == [*OUTPUTS, 'selected_share', 'feature_std']
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    for name, parameter in method.backbone.named_parameters():
        assert (parameter.grad is not None) == (not name.startswith('layer4')), name
        assert parameter.requires_grad == (not name.startswith('layer4')), name
    names = {k for k in method.state_dict() if k.startswith('backbone.')}
    assert names == {k for k in build(teacher={}).state_dict() if 'backbone.' in k}


def test_a_teacher_of_another_depth():
    inputs = clips(dropped_channel=torch.tensor(1))
    assert build(teacher=dict(depth=34)).train().loss(inputs, [])['loss_global'] > 0


@pytest.mark.parametrize(
    'options',
    [
        dict(score='entropy', threshold='quantile', share=0.3),
        dict(score='entropy', threshold='soft'),
    ],
)
def test_selections(options):
    method = build(selection=options).train()
    losses = method.loss(clips(80, batch=1, dropped_channel=torch.tensor(1)), [])
    assert losses['loss_local'] > 0
    if options['threshold'] == 'quantile':
        assert losses['selected_share'].item() == pytest.approx(0.3)


def test_the_first_clip_draws_the_channel():
    method = build()
    drawn = {seed: method._dropped_channel({}, seeds(seed, 7)) for seed in range(40)}
    assert set(drawn.values()) == {1, 2}
    for seed, channel in drawn.items():
        assert method._dropped_channel({}, seeds(seed, 0, 1)) == channel
    losses = [
        build().train().loss(clips(dropped_channel=torch.tensor(channel)), [])
        for channel in (1, 2)
    ]
    drawn_losses = build().train().loss(clips(), seeds(0, 5))
    torch.testing.assert_close(drawn_losses, losses[drawn[0] - 1])
    assert losses[0]['loss_local'] != losses[1]['loss_local']


def test_the_channel_is_hidden_in_a_copy():
    lab = maps(2, 2, 3, 4, 4)
    before = lab.clone()
    hidden = without_channel(lab, 2)
    assert torch.equal(lab, before)
    assert not hidden[:, :, 2].any()
    torch.testing.assert_close(hidden[:, :, :2], 1.5 * lab[:, :, :2])


def test_the_formula_is_near_to_opencv():
    inputs = clips(dropped_channel=torch.tensor(2))
    exact = build().train().loss(inputs, [])
    frames = {k: v for k, v in inputs.items() if k != 'images_lab'}
    near = build(lab='formula').train().loss(frames, [])
    for name in OUTPUTS[:2]:
        torch.testing.assert_close(near[name], exact[name], rtol=2e-2, atol=0)
        assert near[name] != exact[name]


def plain(*shape):
    images = torch.zeros(shape)
    return dict(frames=images, images_lab=images, dropped_channel=torch.tensor(1))


@pytest.mark.parametrize(
    ('inputs', 'text'),
    [
        (plain(1, 1, 3, 64, 64), 'frames of SpaThenTemp are (1, 1, 3, 64, 64); give'),
        (dict(frames=torch.zeros(1, 2, 3, 8, 8)), "['frames'], but no images_lab. Put"),
        (clips(dropped_channel=torch.tensor(0)), 'dropped_channel is 0, allowed are'),
        (
            plain(1, 2, 3, 60, 60),
            'the fine level is (15, 15) and the coarse one (8, 8)',
        ),
        (
            plain(1, 2, 3, 62, 64),
            'images of (62, 64) are no multiple of the fine level',
        ),
        (clips(size=16), 'radius of the windows is 4, the feature map (4, 4). Give'),
    ],
)
def test_clips_that_do_not_fit(inputs, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        build().train().loss(inputs, seeds(1))


def test_evaluation_mode_is_refused():
    with pytest.raises(
        ValueError, match=r'SpaThenTemp is in evaluation mode, .* train'
    ):
        build().eval().loss(clips(), seeds(1, 2))


def test_a_teacher_of_another_stride_is_refused():
    method = build(teacher=dict(strides=(1, 2, 2, 1))).train()
    with pytest.raises(
        ValueError, match=r'student is \(2, 2\), of the teacher \(4, 4\)'
    ):
        method.loss(clips(), seeds(1, 2))


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(lab='hsv'), "lab of SpaThenTemp is 'hsv', allowed are ('opencv', '"),
        (dict(radii=(6,)), 'radii of SpaThenTemp are (6,); give two'),
        (dict(losses=dict(far={})), "losses of SpaThenTemp have ['far']; they are ["),
        (dict(selection=dict(score='x')), "score of MatchSelection is 'x', allowed"),
        (dict(selection=dict(share=-1)), 'share of MatchSelection is -1; give a num'),
        (dict(losses=dict(local=dict(pool='max'))), 'pool of LocalDistillationLoss'),
        (dict(losses=dict(distant=dict(temperature=0))), 'temperature of GlobalDis'),
        (dict(losses=dict(reconstruction=dict(factor=0))), 'factor of ColorReconst'),
        (dict(backbone=dict(STUDENT, out_indices=(2,))), 'out_indices of the backb'),
        (dict(teacher=dict(TEACHER)), "teacher of SpaThenTemp has ['depth', 'out_i"),
    ],
)  # fmt: skip
def test_bad_settings(options, text):
    config = dict(type='SpaThenTemp', backbone=dict(STUDENT), inputs=dict(LAB))
    with pytest.raises(ValueError, match=re.escape(text)):
        MODELS.build({**config, **options})


def test_shapes_of_losses_that_do_not_fit():
    windows = torch.zeros(1, 4, 4, 3, 3)
    with pytest.raises(ValueError, match=r'target \(1, 2, 4\), weights \(1, 4, 4\): '):
        local_distillation(windows, windows[:, :2], torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match=r'transported colours are \(1, 1, 4, 4\) and'):
        color_reconstruction(torch.zeros(1, 1, 4, 4), torch.zeros(2, 1, 8, 8))


def test_losses_are_float32_under_autocast():
    method = build(teacher={}).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = method.loss(clips(), seeds(1, 2))
    assert all(losses[name].dtype == torch.float32 for name in OUTPUTS)
