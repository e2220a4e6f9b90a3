import re

import pytest
import torch
import torch.nn.functional as F

from densecorr.models.layers.slot_attention import SemanticSlotAttention
from densecorr.ops.ema import ema_update_
from densecorr.registry import MODELS

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
SAMPLES = [dict(seed=5), dict(seed=6)]
VIT = dict(
    type='TimmFeatures',
    arch='vit_tiny_patch16_224',
    img_size=32,
    patch_size=8,
    depth=2,
    embed_dim=16,
    num_heads=2,
    facet='key',
    norm=False,
    pos_embed_rule='scale_factor',
    drop_path_rate=0.1,
)


def build(slots=None, seed=0, **options):
    torch.manual_seed(seed)
    small = dict(num_slots=3, num_instances=2, **(slots or {}))
    config = dict(
        type='SMTC',
        backbone=dict(VIT),
        inputs=dict(INPUTS),
        head=dict(grid=(4, 4), slots=small),
        views={},
    )
    config.update(options)
    return MODELS.build(config)


def batch(clips=2, frames=3, size=(32, 32), seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (clips, frames, 3, *size)
    return dict(
        frames=torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    )


def test_a_step():
    method = build().train()
    losses = method.loss(batch(), SAMPLES)
    assert list(losses) == [
        *('loss_transport', 'loss_overlap', 'loss_instance'),
        *('valid_share', 'valid_share_teacher', 'feature_std'),
    ]
    total, _ = method.parse_losses(losses)
    total.backward()
    sigma = method.head.slot_attention.slots_sigma.grad
    assert sigma is not None
    assert not sigma.any()
    assert all(p.grad is None for p in method.teacher.parameters())
    named = method.named_parameters()
    missing = {n for n, p in named if p.grad is None and 'teacher' not in n}
    last = 'backbone.model.blocks.1.'
    assert all(re.match(rf'{last}(attn\.proj|norm2|mlp)\.', n) or
               n.startswith('backbone.model.norm.') for n in missing)  # fmt: skip


def test_the_teacher_is_in_evaluation_mode():
    method = build()
    assert method.train().backbone.training
    assert not any(module.training for module in method.teacher.modules())


def test_clips_do_not_see_one_another():
    method = build(views=None).eval()
    inputs = batch()
    both = method.student_slots(inputs, SAMPLES)
    alone = method.student_slots(dict(frames=inputs['frames'][1:]), SAMPLES[1:])
    for one, two in zip(both, alone, strict=True):
        torch.testing.assert_close(one[1:], two, atol=1e-5, rtol=1e-5)


def test_noise_and_views_come_of_the_seeds():
    method, inputs = build().eval(), batch()
    first, again = (method.student_slots(inputs, SAMPLES) for _ in range(2))
    assert torch.equal(first.instance_slots, again.instance_slots)
    torch.manual_seed(9)
    other = method.teacher_slots(inputs, SAMPLES)
    assert not torch.equal(first.instance_slots, other.instance_slots)
    noise = torch.zeros(2, 3, *method.head.noise_shape)
    given = method.student_slots(dict(inputs, student_noise=noise), SAMPLES)
    start = given.instance_slots[..., 0, :] - given.instance_slots[..., 1, :]
    assert float(start.detach().abs().max()) < 1e-5  # equal samples stay equal


@pytest.mark.parametrize('size', [(32, 32), (48, 40)])
@pytest.mark.parametrize('frames', [2, 5])
def test_any_size_and_number_of_frames(size, frames):
    method = build(views=None).eval()
    slots = method.student_slots(batch(1, frames, size), SAMPLES[:1])
    places = size[0] * size[1] // 64
    assert slots.semantic_dots.shape == (1, frames, 3, places)
    assert slots.instance_dots.shape == (1, frames, 3, 2, places)
    torch.testing.assert_close(slots.objects.norm(dim=-1), torch.ones(1, frames, 3, 2))


@pytest.mark.parametrize('instances', [1, 2, 5, 6])
def test_any_number_of_instances(instances):
    slots = dict(num_slots=2, num_instances=instances, iterations=1)
    method = build(head=dict(grid=(4, 4), slots=slots))
    total, _ = method.parse_losses(method.loss(batch(), SAMPLES))
    assert torch.isfinite(total)


def test_a_loss_may_be_left_out():
    losses = dict(overlap=None, transport=dict(weight=2.0))
    found = build(losses=losses).eval().loss(batch(), SAMPLES)
    plain = build().eval().loss(batch(), SAMPLES)
    assert 'loss_overlap' not in found
    torch.testing.assert_close(found['loss_transport'], 2 * plain['loss_transport'])
    with pytest.raises(KeyError, match=r"has \['entropy'\]; it has the losses"):
        build(losses=dict(entropy={}))


def test_two_halves_of_a_batch_are_the_batch():
    method, inputs = build(losses=dict(instance=None)).eval(), batch(4)
    samples = [dict(seed=seed) for seed in (5, 6, 7, 8)]
    whole = method.loss(inputs, samples)
    halves = [
        method.loss(dict(frames=inputs['frames'][rows]), samples[rows])
        for rows in (slice(2), slice(2, 4))
    ]
    for name in ('loss_transport', 'loss_overlap'):
        mean = (halves[0][name] + halves[1][name]) / 2
        torch.testing.assert_close(whole[name], mean)


def test_sampling_may_pass_gradients():
    for reparameterized in (False, True):
        method = build(dict(reparameterized=reparameterized))
        attention = method.head.slot_attention
        noise = torch.randn(1, 3, 2, 16)
        found = attention(torch.randn(1, 16, 16), noise)
        found.instance_slots.square().sum().backward()
        assert bool(attention.slots_sigma.grad.any()) == reparameterized
        assert (
            attention.slots_mu.grad is None
            or reparameterized
            or not (attention.slots_mu.grad.any())
        )


@pytest.mark.parametrize('area', ['soft', 'hard', 'hard_share'])
def test_instances_look_only_into_the_area_of_their_slot(area):
    torch.manual_seed(0)
    attention = SemanticSlotAttention(8, 2, 2, iterations=1, area=area).eval()
    dots = torch.tensor([[[9.0, 0.31, -1.0], [-9.0, 0.29, 1.0]]])
    found = attention._area(dots)
    expected = dict(
        soft=dots.softmax(1),
        hard=torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]),
        hard_share=torch.tensor([[[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]]),
    )
    torch.testing.assert_close(found, expected[area])


def test_slots_move_with_the_order_of_places():
    torch.manual_seed(0)
    attention = SemanticSlotAttention(8, 3, 2)
    feats, noise = torch.randn(2, 10, 8), torch.randn(2, 3, 2, 8)
    order = torch.randperm(10)
    plain, moved = attention(feats, noise), attention(feats[:, order], noise)
    torch.testing.assert_close(moved.instance_slots, plain.instance_slots)
    torch.testing.assert_close(moved.semantic_dots, plain.semantic_dots[..., order])


def test_bad_arguments_are_named():
    cases = [
        (dict(slots=dict(area='none')), r"area of .* is 'none'; choose from"),
        (dict(slots=dict(iterations=0)), r'iterations 0; each is at least 1'),
        (dict(head=dict(grid=(0, 4))), r'grid of SlotHead is \(0, 4\); give'),
        (dict(views=dict(gray_prob=2)), r'gray_prob, .* of ClipViews are \(2,'),
        (dict(views=dict(jitter=(0.1, 0.2))), r'jitter of ClipViews is \(0.1, 0.2\)'),
        (dict(views=dict(sigma=(0, 2))), r'sigma of ClipViews is \(0, 2\)'),
        (dict(losses=dict(overlap=dict(weight=-1))), r'weight of Slot\w+ is -1'),
    ]
    for options, message in cases:
        with pytest.raises(ValueError, match=message):
            build(**options)


def test_clips_that_are_too_short_or_have_no_seed():
    method = build()
    with pytest.raises(ValueError, match=r'frames of SMTC are \(2, 1, 3.*num_frames'):
        method.loss(batch(frames=1), SAMPLES)
    with pytest.raises(ValueError, match='carry no `seed`'):
        method.loss(batch(), [{}, {}])


def test_instances_that_do_not_fit_into_memory():
    slots = dict(num_slots=3, num_instances=2000)
    method = build(head=dict(grid=(4, 4), slots=slots, max_memory='10MB'))
    message = r'3 x 2000 instance slots in 6 frames of 16 places need about .* GB.*Low'
    with pytest.raises(ValueError, match=message):
        method.loss(batch(), SAMPLES)


def test_noise_of_another_shape():
    attention = SemanticSlotAttention(8, 3, 2)
    with pytest.raises(ValueError, match=r'noise \(1, 3, 1, 8\); give .* p = 2'):
        attention(torch.zeros(1, 4, 8), torch.zeros(1, 3, 1, 8))


def test_the_views_of_student_and_teacher_differ_and_keep_frames_alike():
    views = MODELS.build(dict(type='ClipViews', blur_prob=1.0, jitter_prob=1.0))
    student, teacher = (views.draw([3, 4], stream) for stream in (2, 3))
    assert student[0].sigma == teacher[1].sigma == float(views.sigma_of_run)
    assert not (student[0].factors == teacher[0].factors).all()
    frame = batch(1, 1)['frames']
    clip = frame.expand(2, 4, -1, -1, -1)
    found = views(clip, student)
    assert found.min() >= 0
    assert found.max() <= 1
    torch.testing.assert_close(found[:, :1].expand_as(found), found)
    single = MODELS.build(dict(type='ClipViews', sigma_per_clip=True))
    assert len({drawn.sigma for drawn in single.draw([1, 2, 3], 0)}) == 3


def test_the_state_goes_on():
    method, other = build(), build(seed=1)
    other.load_state_dict(method.state_dict(), strict=True)
    ema_update_(other.teacher['head'], method.head, 0.5)
    found = [m.eval().loss(batch(), SAMPLES)['loss_overlap'] for m in (method, other)]
    assert torch.equal(*found)
    assert F.mse_loss(other.views.sigma_of_run, method.views.sigma_of_run) == 0
