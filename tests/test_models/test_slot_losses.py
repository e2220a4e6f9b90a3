import math

import pytest
import torch
import torch.nn.functional as F

from densecorr.models.losses.slot_instance import slot_instance
from densecorr.models.losses.slot_overlap import slot_overlap
from densecorr.models.losses.slot_transport import slot_transport, transport_plans


def randn(*shape, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, **options)


def unit(*shape, seed=0, **options):
    return F.normalize(randn(*shape, seed=seed, **options), dim=-1)


def test_overlap_by_hand():
    apart = torch.tensor([[[50.0, -50.0], [-50.0, 50.0]]])
    assert slot_overlap(apart).item() == pytest.approx(0, abs=1e-7)
    assert slot_overlap(torch.zeros(2, 3, 4)).item() == pytest.approx(1)
    shares = torch.tensor([[0.8, 0.5], [0.2, 0.5]])
    dots = shares.log()[None]
    expected = (0.8 * 0.2 + 0.25) / (math.hypot(0.8, 0.5) * math.hypot(0.2, 0.5))
    assert slot_overlap(dots).item() == pytest.approx(expected)


def test_overlap_does_not_depend_on_orders():
    dots = randn(2, 4, 9)
    moved = dots[:, torch.randperm(4)][..., torch.randperm(9)]
    torch.testing.assert_close(slot_overlap(dots), slot_overlap(moved))


def test_gradients():
    dots = randn(1, 2, 3, 4, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(slot_overlap, (dots,))
    teacher, keys = randn(1, 2, 3, 4, seed=1).double(), randn(1, 2, 4, 5).double()
    assert torch.autograd.gradcheck(lambda x: slot_transport(x, teacher, keys), (dots,))
    objects = unit(1, 2, 2, 3, 4, dtype=torch.float64).requires_grad_()
    others = unit(1, 2, 2, 3, 4, seed=1, dtype=torch.float64)
    valid = randn(2, 1, 2, 2, 3, seed=2) > 0

    def instance(x):
        return slot_instance(x, others, *valid, margin=0.1).loss

    assert torch.autograd.gradcheck(instance, (objects,))


def literal_transport(student, teacher, keys):
    """Cross entropies of all pairs of places, one pair of frames at a time."""
    t, total = student.shape[1], 0.0
    log_shares = (student.softmax(2) + 1e-8).log()
    for i in range(t):
        for j in set(range(t)) - {i}:
            plan, _ = transport_plans(keys[:, i], keys[:, j])
            errors = -torch.einsum(
                'bsm,bsn->bnm', teacher[:, j].softmax(1), log_shares[:, i]
            )
            total = total + (plan * errors).sum((1, 2)).mean()
    return total / (t * (t - 1))


def test_transport_equals_the_literal_formula():
    student, teacher, keys = randn(2, 3, 4, 6), randn(2, 3, 4, 6), randn(2, 3, 6, 5)
    found = slot_transport(student, teacher, keys)
    torch.testing.assert_close(found, literal_transport(student, teacher, keys))


def test_plans_have_the_masses_of_the_keys():
    first, second = randn(2, 7, 5), randn(2, 6, 5, seed=1)
    masses = [F.normalize(keys, dim=-1).abs().sum(-1) for keys in (first, second)]
    rows, columns = (mass / mass.sum(-1, keepdim=True) for mass in masses)
    there, back = transport_plans(first, second, epsilon=1.0, iterations=30)
    torch.testing.assert_close(there.sum(2), rows)
    torch.testing.assert_close(there.sum(1), columns)
    torch.testing.assert_close(back, there.transpose(1, 2))  # when both are balanced


def test_equal_frames_cost_the_entropy_of_sure_slots():
    keys = torch.eye(4)[None, None].expand(1, 2, 4, 4)
    dots = 30 * torch.eye(4)[None, None].expand(1, 2, 4, 4)
    assert slot_transport(dots, dots, keys).item() == pytest.approx(0, abs=1e-5)


def test_instances_that_are_found_again():
    objects = torch.eye(3)[None, None, None].expand(1, 2, 1, 3, 3)
    valid = torch.ones(1, 2, 1, 3)
    found = slot_instance(objects, objects[..., [2, 0, 1], :], valid, valid)
    assert found.loss.item() == pytest.approx(-1)
    assert found.matches[0, 1, 0, 0].tolist() == [1, 2, 0]
    lost = slot_instance(objects, objects, valid, 0 * valid)
    assert lost.loss.item() == 0  # orthogonal to all others
    assert slot_instance(objects, objects, 0 * valid, valid).loss.item() == 0


@pytest.mark.parametrize('instances', [1, 3, 5])
def test_both_ways_to_assign_give_one_loss(instances):
    objects, others = (unit(2, 3, 4, instances, 8, seed=i) for i in range(2))
    valid = randn(2, 2, 3, 4, instances) > 0
    found = [
        slot_instance(objects, others, *valid, method=method)
        for method in ('permutations', 'scipy')
    ]
    assert torch.equal(found[0].matches, found[1].matches)
    assert torch.equal(found[0].loss, found[1].loss)


def test_losses_are_float32_under_autocast():
    dots, keys = randn(1, 2, 3, 4).bfloat16(), randn(1, 2, 4, 5).bfloat16()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = slot_transport(dots, dots, keys)
    wide = slot_transport(dots.float(), dots.float(), keys.float())
    torch.testing.assert_close(found, wide)


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r'1 slot\(s\) in each frame.*num_slots'):
        slot_overlap(torch.zeros(2, 1, 4))
    dots = torch.zeros(1, 2, 3, 4)
    with pytest.raises(ValueError, match='t of at least 2'):
        slot_transport(dots[:, :1], dots[:, :1], torch.zeros(1, 1, 4, 5))
    with pytest.raises(ValueError, match=r'teacher_keys are \(1, 2, 5, 5\)'):
        slot_transport(dots, dots, torch.zeros(1, 2, 5, 5))
    objects, valid = torch.zeros(1, 2, 3, 2, 4), torch.zeros(1, 2, 3, 2)
    with pytest.raises(ValueError, match=r'objects are .*give \(b, t, s, p, c\)'):
        slot_instance(objects, objects[:, :1], valid, valid)
