import math
import re

import pytest
import torch

from densecorr.models.layers.key_queue import KeyQueue
from densecorr.models.layers.sync_batch_norm import convert_sync_batch_norm
from densecorr.models.losses.info_nce import info_nce
from densecorr.ops.noise import item_noise
from densecorr.registry import MODELS
from densecorr.utils.ranks import exchange_ranks
from tests import training_toys  # noqa: F401 registers Edges
from tests.two_ranks import run_two_ranks

INPUTS = dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
SEEDS = (5, 6, 7, 8)


def build(queue_length=8, sync_bn=False, **options):
    torch.manual_seed(0)
    config = dict(
        type='MoCoV2',
        backbone=dict(type='Edges', stride=4),
        inputs=dict(INPUTS),
        queue_length=queue_length,
    )
    config.update(options)
    method = MODELS.build(config)
    return convert_sync_batch_norm(method) if sync_bn else method


def batch(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def unit(*shape, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=generator, **options)
    return torch.nn.functional.normalize(values, dim=-1)


def samples(seeds=SEEDS):
    return [dict(seed=seed) for seed in seeds]


def test_loss_by_hand():
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    keys = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    negatives = torch.tensor([[0.0, 1.0], [0.0, -1.0], [-1.0, 0.0]])
    found = info_nce(queries, keys, negatives, temperature=0.5)
    others = [1 + 1 + math.exp(-2), math.exp(2) + math.exp(-2) + 1]
    own = [math.exp(2), 1]
    expected = [-math.log(a / (a + b)) for a, b in zip(own, others, strict=True)]
    assert found.losses.tolist() == pytest.approx(expected)
    assert found.places.tolist() == [0, 1]  # one negative is nearer to the second


def test_loss_of_equal_similarities():
    queries, keys = torch.eye(3)[:1], torch.eye(3)[1:2]
    negatives = torch.eye(3)[2:].expand(100, 3)
    assert info_nce(queries, keys, negatives).losses.item() == pytest.approx(
        math.log(101)
    )


def test_loss_does_not_depend_on_the_order_of_negatives():
    queries, keys, negatives = unit(3, 4), unit(3, 4, seed=1), unit(6, 4, seed=2)
    one, two = (info_nce(queries, keys, n) for n in (negatives, negatives.flip(0)))
    torch.testing.assert_close(one.losses, two.losses)
    assert torch.equal(one.places, two.places)


def test_gradient_of_the_loss():
    queries = unit(3, 4, dtype=torch.float64).requires_grad_()
    keys, negatives = unit(3, 4, seed=1).double(), unit(6, 4, seed=2).double()

    def losses(queries):
        return info_nce(queries, keys, negatives, 0.2).losses

    assert torch.autograd.gradcheck(losses, (queries,))


def test_loss_is_float32_under_autocast():
    values = [unit(4, 8, seed=i).bfloat16() for i in range(3)]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = info_nce(*values)
    torch.testing.assert_close(found.losses, info_nce(*(v.float() for v in values))[0])


def test_queue_wraps_around():
    torch.manual_seed(0)
    queue = KeyQueue(6, 3)
    torch.testing.assert_close(queue.keys.norm(dim=1), torch.ones(6))
    rows = [unit(2, 3, seed=i) for i in range(4)]
    start = queue.keys.clone()
    queue.push(rows[0])
    assert torch.equal(queue.keys, torch.cat([rows[0], start[2:]]))
    for new in rows[1:]:
        queue.push(new)
    assert torch.equal(queue.keys, torch.cat([rows[3], rows[1], rows[2]]))
    assert int(queue.place) == 2
    other = KeyQueue(6, 3)
    other.load_state_dict(queue.state_dict(), strict=True)
    other.push(rows[0])
    assert torch.equal(other.keys, torch.cat([rows[3], rows[0], rows[2]]))


def test_first_loss_is_that_of_chance():
    method = build(queue_length=4096)
    losses = method.loss(dict(frames=batch(4, 2, 3, 32, 32)), samples())
    names = ['loss_contrast', 'accuracy_top1', 'accuracy_top5', 'feature_std']
    assert list(losses) == names
    chance, similar = math.log(1 + 4096), 1 / 0.2  # a cosine of 1
    assert chance - similar < losses['loss_contrast'].item() < chance + 1
    assert 0 <= losses['accuracy_top1'] <= losses['accuracy_top5'] <= 1


def test_only_the_student_gets_gradients():
    method = build(backbone=dict(type='ResNet', depth=18))
    method.loss(dict(frames=batch(4, 2, 3, 32, 32)), samples())[
        'loss_contrast'
    ].backward()
    for name, parameter in method.named_parameters():
        assert (parameter.grad is None) is name.startswith('teacher.'), name
    assert {n for n, _ in method.named_buffers() if n.startswith('queue')} == {
        'queue.keys',
        'queue.place',
    }


def test_keys_are_the_second_views_through_the_teacher():
    method, frames = build(), batch(4, 2, 3, 32, 32)
    teacher = method.teacher
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(1.1)
        maps = teacher['backbone'](method.normalize(frames[:, 1]))[-1]
        keys = teacher['head'](maps.mean((2, 3)))
    method.loss(dict(frames=frames), samples())
    torch.testing.assert_close(method.queue.keys[:4], keys)
    torch.testing.assert_close(keys.norm(dim=1), torch.ones(4))
    assert int(method.queue.place) == 4


def test_loss_is_that_of_the_queue_before_the_batch():
    method, frames = build(), batch(4, 2, 3, 32, 32)
    negatives, seen = method.queue.keys.clone(), []
    method.contrast.register_forward_hook(lambda _, args, out: seen.append((args, out)))
    loss = method.loss(dict(frames=frames), samples())['loss_contrast']
    (queries, keys, given), _ = seen[0]
    assert torch.equal(given, negatives)
    logits = torch.cat([(queries * keys).sum(1, True), queries @ negatives.T], 1) / 0.2
    torch.testing.assert_close(loss, -logits.log_softmax(1)[:, 0].mean())


def step_of(rank, frames, sync_bn, shuffle):
    """What a process sees, and has after a step; rank None has the whole batch."""
    method = build(sync_bn=sync_bn, shuffle=shuffle)
    part = slice(None) if rank is None else slice(2 * rank, 2 * rank + 2)
    seen = []
    method.teacher['backbone'].register_forward_pre_hook(lambda _, x: seen.append(x[0]))
    losses = method.loss(dict(frames=frames[part]), samples(SEEDS[part]))
    losses['loss_contrast'].backward()
    return dict(
        loss=losses['loss_contrast'].detach(),
        queue=method.queue.keys,
        place=method.queue.place,
        grad=method.backbone.conv.weight.grad,
        images=seen[0],
    )


def steps_of(rank, frames):
    """All four kinds of steps, by (sync_bn, shuffle)."""
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    return {kind: step_of(rank, frames, *kind) for kind in kinds}


@pytest.fixture(scope='module')
def frames():
    return batch(4, 2, 3, 16, 16)


@pytest.fixture(scope='module')
def ranks(frames):
    """Steps of both of two processes."""
    return run_two_ranks(steps_of, frames)


@pytest.mark.parametrize('shuffle', [True, False])
def test_two_ranks_equal_one_of_twice_the_batch(ranks, frames, shuffle):
    one, two = step_of(None, frames, True, shuffle), [r[True, shuffle] for r in ranks]
    for rank in two:
        torch.testing.assert_close(rank['queue'], one['queue'], rtol=0, atol=1e-6)
        assert int(rank['place']) == int(one['place']) == 4
    loss, grad = ((two[0][k] + two[1][k]) / 2 for k in ('loss', 'grad'))
    torch.testing.assert_close(loss, one['loss'], rtol=0, atol=1e-6)
    torch.testing.assert_close(grad, one['grad'], rtol=0, atol=1e-5)


def test_ranks_exchange_images_and_give_keys_back(ranks, frames):
    shuffled, plain = ([rank[False, s] for rank in ranks] for s in (True, False))
    order = item_noise(SEEDS, 0, ()).argsort()
    assert sorted(order[:2].tolist()) != [0, 1]  # the groups change
    images = torch.cat([rank['images'] for rank in plain])
    for rank, own in enumerate(order.view(2, 2)):
        assert torch.equal(shuffled[rank]['images'], images[own])
    for result in (*shuffled, *plain):  # the same in both processes
        assert torch.equal(result['queue'][4:], plain[0]['queue'][4:])
    assert torch.equal(shuffled[0]['queue'], shuffled[1]['queue'])
    for groups, result in ((order, shuffled[0]), (torch.arange(4), plain[0])):
        keys = torch.empty(4, 128)  # in the order of the images, whatever the groups
        for own in groups.view(2, 2):
            keys[own] = build().keys_of(frames[own, 1], samples())
        torch.testing.assert_close(result['queue'][:4], keys, rtol=0, atol=1e-6)


def test_exchange_with_one_process():
    values, order = torch.arange(6).view(3, 2), torch.tensor([2, 0, 1])
    moved = exchange_ranks(values, order)
    assert torch.equal(moved, values[order])
    assert torch.equal(exchange_ranks(moved, order.argsort()), values)


def test_bad_settings():
    with pytest.raises(ValueError, match='temperature of InfoNCELoss is 0; give'):
        build(loss=dict(temperature=0))
    with pytest.raises(ValueError, match='a KeyQueue has length 0 and 128 channels'):
        build(queue_length=0)


@pytest.mark.parametrize(('length', 'count'), [(6, 4), (2, 4)])
def test_a_queue_that_is_no_multiple_of_the_batch(length, count):
    method = build(queue_length=length)
    text = rf'queue of {length} keys is not a multiple of the {count} keys of a step'
    before = method.queue.keys.clone()
    with pytest.raises(ValueError, match=text):
        method.loss(dict(frames=batch(count, 2, 3, 32, 32)), samples())
    assert torch.equal(method.queue.keys, before)


@pytest.mark.parametrize('shape', [(2, 1, 3, 8, 8), (2, 3, 3, 8, 8), (2, 3, 8, 8)])
def test_other_views_are_refused(shape):
    text = f'frames of MoCoV2 are {shape}; give two views of each image'
    with pytest.raises(ValueError, match=re.escape(text)):
        build().loss(dict(frames=torch.zeros(shape)), [])


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r'keys \(3, 4\), negatives .* give \(n, c\)'):
        info_nce(unit(2, 4), unit(3, 4), unit(5, 4))
