"""TimeT: what its parts compute, which passes and graphs it makes, what is refused."""

import math

import pytest
import torch
import torch.nn.functional as F

from densecorr.models.heads import MLPHead, Prototypes
from densecorr.models.layers import RowQueue
from densecorr.models.losses.timet import TimeTLoss, balanced_assignment
from densecorr.models.methods.base import NonFiniteLossError
from densecorr.ops.carry import carry_labels
from densecorr.ops.selection import Rule
from densecorr.ops.sinkhorn import sinkhorn_assignment
from densecorr.ops.window import Window
from densecorr.registry import MODELS
from tests.two_ranks import run_two_ranks

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.228, 0.224, 0.225))
VIT = dict(
    type='TimmFeatures',
    arch='vit_tiny_patch16_224',
    img_size=48,
    patch_size=8,
    embed_dim=24,
    depth=3,
    num_heads=2,
    pos_embed_rule='size',
)


def build(**options):
    torch.manual_seed(0)
    settings = dict(
        type='TimeT',
        backbone=VIT,
        inputs=INPUTS,
        head=dict(channels=(16, 8)),
        num_prototypes=5,
        unfrozen=['blocks.2.'],
    )
    return MODELS.build({**settings, **options}).train()


def clips(b=2, t=3, side=56):
    generator = torch.Generator().manual_seed(1)
    shape = (b, t, 3, side, side)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def run(method, frames=None, seeds=(3, 4)):
    frames = clips() if frames is None else frames
    return method.loss(dict(frames=frames), [dict(seed=seed) for seed in seeds])


def unit(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator), dim=-1)


# the parts


def test_labels_stay_where_nothing_changes():
    frame = unit(1, 1, 4, 5, 16)
    first = torch.rand(1, 4, 5, 3)
    rule = Rule(topk=1, temperature=0.1, ties='all')
    carried = carry_labels(frame.expand(1, 4, 4, 5, 16), first, 2, Window(), rule)
    assert carried.shape == (1, 3, 4, 5, 3)
    # the copies in later frames are as near, and have the same labels
    torch.testing.assert_close(carried, first[:, None].expand_as(carried))


def test_labels_follow_a_shift_within_the_window():
    frame = unit(5, 6, 16)
    feats = torch.stack([frame, frame.roll(1, 1), frame.roll(2, 1)])[None]
    first = torch.rand(1, 5, 6, 3)
    rule = Rule(topk=1, temperature=0.1, ties='all')
    near = carry_labels(feats, first, 7, Window('square', 1), rule)[0, -1]
    # frame 1 is in the memory of frame 2: two steps of one cell each
    torch.testing.assert_close(near[:, 2:], first[0, :, :-2])
    alone = carry_labels(feats, first, 0, Window('square', 1), rule)[0, -1]
    assert not torch.allclose(alone[:, 2:], first[0, :, :-2])


def test_carrying_refuses_what_does_not_fit():
    feats, first = torch.ones(2, 1, 3, 3, 4), torch.ones(2, 3, 3, 5)
    with pytest.raises(ValueError, match=r'clips .* of at least 2 frames'):
        carry_labels(feats, first, 1, Window(), Rule())
    with pytest.raises(ValueError, match=r'give \(2, 3, 3, labels\)'):
        carry_labels(feats.expand(2, 2, 3, 3, 4), first[:1], 1, Window(), Rule())


def test_queue_rows_take_part_and_drop_out():
    scores, more = torch.rand(6, 4), torch.rand(3, 4)
    found = balanced_assignment(scores, 0.05, 3, more)
    both = sinkhorn_assignment(torch.cat([scores, more]), iterations=3)
    torch.testing.assert_close(found, both[:6])
    assert not torch.allclose(found, balanced_assignment(scores, 0.05, 3))
    plain = balanced_assignment(scores, 0.05, 0)
    torch.testing.assert_close(plain, (scores / 0.05).softmax(1))


def test_a_queue_is_full_when_its_last_row_is_there():
    queue = RowQueue(5, 2)
    for start, full in ((1, False), (3, False), (5, True)):
        queue.push(torch.arange(start, start + 2.0)[:, None].expand(2, 2))
        assert queue.full() is full
    assert queue.rows[:, 0].tolist() == [5, 6, 3, 4, 1]
    queue.push(torch.arange(9.0)[:, None].expand(9, 2))
    assert queue.rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match='RowQueue has length 0'):
        RowQueue(0, 2)


def test_loss_gradients_are_those_of_finite_differences():
    loss = TimeTLoss(temperature=0.5)
    feats = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    prototypes = unit(3, 3).double().requires_grad_()
    labels = torch.tensor([[[0, 1], [2, 1]], [[1, 1], [0, 2]]])
    mask = torch.tensor([[[1, 1], [0, 1]], [[0, 1], [1, 1]]]).bool()

    def value(feats, prototypes):
        return loss(feats, prototypes, labels, mask)

    assert torch.autograd.gradcheck(value, (feats, prototypes))
    found = value(feats, prototypes)
    logits = (F.normalize(feats, dim=-1) @ prototypes.T / 0.5).flatten(0, 1)
    errors = F.cross_entropy(logits, labels.flatten(), reduction='none')
    torch.testing.assert_close(found, (errors * mask.flatten()).sum() / 8)


def test_equal_scores_cost_the_logarithm_of_the_number_of_prototypes():
    labels = torch.zeros(1, 2, 2, dtype=torch.long)
    found = TimeTLoss()(torch.zeros(1, 4, 3), unit(7, 3), labels)
    assert float(found) == pytest.approx(math.log(7))


@pytest.mark.parametrize(
    ('options', 'error', 'text'),
    [
        (dict(epsilon=0), ValueError, 'epsilon 0 and iterations 10'),
        (dict(iterations=-1), ValueError, 'iterations -1'),
        (dict(assign_frames='last'), ValueError, r"choose of \('first', 'all'\)"),
        (dict(carry=dict(top_k=3)), TypeError, 'carry of TimeTLoss has'),
    ],
)
def test_options_of_the_loss_that_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        TimeTLoss(**options)


def test_heads_that_are_refused():
    with pytest.raises(ValueError, match=r'channels of MLPHead are \(\) after 8'):
        MLPHead(8, ())
    with pytest.raises(ValueError, match='give at least 2 prototypes'):
        Prototypes(1, 8)
    assert torch.allclose(Prototypes(4, 8).weight.norm(dim=1), torch.ones(4))


# the method


class Passes:
    """Counts images that a backbone sees, with and without a graph."""

    def __init__(self, backbone):
        self.images = dict.fromkeys((True, False), 0)
        backbone.register_forward_pre_hook(self._count)

    def _count(self, module, args):
        self.images[torch.is_grad_enabled()] += len(args[0])


@pytest.mark.parametrize('teacher', [False, True])
def test_one_pass_and_gradients_of_the_last_frame_alone(teacher):
    method = build(teacher=teacher)
    passes = Passes(method.backbone)
    taught = Passes(method.teacher['backbone']) if teacher else None
    run(method)['loss_cluster'].backward()
    assert passes.images == {True: 2, False: 4}  # two clips of three frames
    if taught is not None:
        assert taught.images == {True: 0, False: 2}
    reached = {n for n, p in method.named_parameters() if p.grad is not None}
    trained = {n for n, p in method.named_parameters() if p.requires_grad}
    assert reached == trained
    assert all(
        name.startswith(('backbone.model.blocks.2.', 'head.', 'prototypes.'))
        for name in trained
    )


def test_blocks_that_stay_have_no_graph():
    method, seen = build(), []
    for block in method.backbone.model.blocks:
        block.register_forward_hook(lambda _, __, out: seen.append(out.requires_grad))
    run(method)
    assert seen == [False] * 3 + [False, False, True]  # earlier frames, the last ones


def test_outputs():
    outputs = run(build())
    assert set(outputs) == {
        'loss_cluster', 'cluster_share', 'cluster_perplexity', 'feature_std'
    }  # fmt: skip
    assert 0 < outputs['cluster_share'] <= 1
    assert outputs['loss_cluster'].requires_grad


def test_a_teacher_that_is_the_student_changes_nothing():
    torch.testing.assert_close(
        run(build(teacher=True))['loss_cluster'], run(build())['loss_cluster']
    )


def test_a_mask_takes_patches_out():
    method = build(mask=0.5)
    masked = run(method)
    masked['loss_cluster'].backward()
    assert torch.isfinite(method.prototypes.weight.grad).all()
    assert masked['loss_cluster'] < run(build())['loss_cluster']
    with pytest.raises(ValueError, match='a ResNet has no class token'):
        build(backbone=dict(type='ResNet', depth=18), unfrozen=None, mask=0.65)


def test_a_queue_is_filled_by_random_rows_of_the_first_frames():
    method = build(queue_length=50)
    before = run(method)['loss_cluster']
    assert not method.queue.full()
    torch.testing.assert_close(before, run(build())['loss_cluster'])
    rows = method.queue.rows.clone()
    run(method)
    torch.testing.assert_close(method.queue.rows[20:40], rows[:20])
    torch.testing.assert_close(method.queue.rows[:20], rows[:20])  # the same seeds
    run(method, seeds=(5, 6))
    assert method.queue.full()
    assert not torch.allclose(method.queue.rows[:20], rows[:20])
    assert 'queue.rows' in method.state_dict()


def test_all_frames_can_be_balanced():
    method = build(loss=dict(assign_frames='all'))
    seen = []
    assign = method.contrast.assign
    method.contrast.assign = lambda *args: seen.append(args[0].shape) or assign(*args)
    run(method)
    assert seen == [(2, 3, 49, 8)]


def test_batch_norms_keep_their_statistics():
    backbone = dict(type='ResNet', depth=18, strides=(1, 2, 2, 1), out_indices=(3,))
    method = build(backbone=backbone, unfrozen=['layer4.'], teacher=True)
    before = {k: v.clone() for k, v in method.backbone.state_dict().items()}
    outputs = run(method, clips(side=48))
    outputs['loss_cluster'].backward()
    now = method.backbone.state_dict()
    assert all(torch.equal(now[key], before[key]) for key in before)
    assert method.backbone.layer4[0].bn1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ('frames', 'text'),
    [
        (clips(t=1), 't of at least 2: raise num_frames of the clip sampler'),
        (clips()[0], r'give \(b, t, 3, H, W\)'),
        (clips(side=60), r'not a multiple of .*8'),
    ],
)
def test_frames_that_are_refused(frames, text):
    with pytest.raises(ValueError, match=text):
        run(build(), frames)


def test_settings_that_are_refused():
    with pytest.raises(ValueError, match='num_prototypes is 1'):
        build(num_prototypes=1)
    with pytest.raises(ValueError, match=r"'blocks.10.', which no parameter"):
        build(unfrozen=['blocks.10.'])


def test_a_loss_that_is_not_finite_is_told():
    method = build()
    method.prototypes.weight.data.fill_(float('nan'))
    with pytest.raises(NonFiniteLossError, match='loss is not finite'):
        method.parse_losses(run(method))


def two_halves(rank, frames):
    outputs = run(build(), frames[rank : rank + 1], seeds=(3 + rank,))
    return outputs['loss_cluster'].detach()


def test_two_processes_balance_together():
    frames = clips()
    halves = run_two_ranks(two_halves, frames)
    whole = run(build(), frames)['loss_cluster'].detach()
    torch.testing.assert_close(torch.stack(halves).mean(), whole)
