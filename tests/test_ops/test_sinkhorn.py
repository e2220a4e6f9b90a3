import pytest
import torch
import torch.nn.functional as F

from densecorr.ops.sinkhorn import sinkhorn_assignment, sinkhorn_plan


def scores_of(n=24, p=6, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    feats = torch.randn(n + p, 8, generator=generator, dtype=torch.float64)
    unit = F.normalize(feats, dim=1)
    return (unit[:n] @ unit[n:].t()).to(dtype)


def by_hand(scores, epsilon, iterations):
    """The published steps, literally."""
    plan = (scores / epsilon).exp()
    plan = plan / plan.sum()
    for _ in range(iterations):
        plan = plan / plan.sum(0) / plan.shape[1]
        plan = plan / plan.sum(1, keepdim=True) / plan.shape[0]
    return plan / plan.sum(1, keepdim=True)


def test_assignment_equals_the_literal_steps():
    scores = scores_of(dtype=torch.float64)
    for iterations in (1, 3, 10):
        found = sinkhorn_assignment(scores, epsilon=0.05, iterations=iterations)
        torch.testing.assert_close(found, by_hand(scores, 0.05, iterations))


def test_two_by_two_plan_has_the_known_answer():
    # exp(score) is [[2, 1], [1, 2]]: already balanced, so the plan is a third and a
    # sixth.
    scores = torch.tensor([[2.0, 1.0], [1.0, 2.0]]).log()
    plan = sinkhorn_plan(scores, epsilon=1.0, iterations=1)
    torch.testing.assert_close(plan, torch.tensor([[2.0, 1.0], [1.0, 2.0]]) / 6)


@pytest.mark.parametrize('first', ['rows', 'columns'])
def test_plan_has_the_masses_of_the_side_scaled_last(first):
    scores = torch.stack([scores_of(seed=seed) for seed in (1, 2)])
    rows = torch.rand(2, 24).softmax(1)
    columns = torch.rand(2, 6).softmax(1)
    masses = dict(rows=rows, columns=columns, first=first)
    plan = sinkhorn_plan(scores, iterations=2, **masses)
    sums = dict(rows=plan.sum(2), columns=plan.sum(1))
    other = 'columns' if first == 'rows' else 'rows'
    torch.testing.assert_close(sums[other], masses[other])
    assert not torch.allclose(sums[first], masses[first], atol=1e-4)
    plan = sinkhorn_plan(scores, iterations=500, **masses)
    torch.testing.assert_close(plan.sum(2), rows, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(plan.sum(1), columns, atol=1e-5, rtol=1e-4)


def test_equal_masses_sum_to_one():
    plan = sinkhorn_plan(scores_of(), iterations=500)
    torch.testing.assert_close(plan.sum(0), torch.full((6,), 1 / 6))
    torch.testing.assert_close(plan.sum(1), torch.full((24,), 1 / 24))


def test_permuted_scores_give_the_permuted_assignment():
    scores = scores_of()
    rows, columns = torch.randperm(24), torch.randperm(6)
    found = sinkhorn_assignment(scores[rows][:, columns])
    expected = sinkhorn_assignment(scores)[rows][:, columns]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_a_constant_changes_nothing():
    expected = sinkhorn_assignment(scores_of())
    found = sinkhorn_assignment(scores_of() + 3)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_tiny_epsilon_neither_overflows_nor_loses_a_row():
    found = sinkhorn_assignment(scores_of(), epsilon=1e-4, iterations=3)
    torch.testing.assert_close(found.sum(1), torch.ones(24))


def test_rows_without_mass_are_empty():
    rows = torch.tensor([0.0, 0.5, 0.5])
    plan = sinkhorn_plan(scores_of(3, 2), rows=rows, iterations=200)
    assert plan[0].tolist() == [0.0, 0.0]
    torch.testing.assert_close(plan.sum(0), torch.tensor([0.5, 0.5]))


def test_scores_stay_as_they_were_and_get_no_gradient():
    scores = scores_of().requires_grad_()
    before = scores.detach().clone()
    assert not sinkhorn_assignment(scores).requires_grad
    assert torch.equal(scores, before)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(epsilon=0), 'epsilon is 0; it should be > 0'),
        (dict(iterations=0), 'iterations is 0; it should be at least 1'),
        (dict(first='both'), r"first is 'both'; it should be one of \('rows', 'colu"),
        (dict(rows=torch.ones(5)), r'rows are \(5,\).* need masses of \(24,\)'),
        (dict(columns=torch.ones(5)), r'columns are \(5,\).* need masses of \(6,\)'),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sinkhorn_plan(scores_of(), **options)


def test_scores_need_two_axes():
    with pytest.raises(ValueError, match=r'scores are \(3,\); they should be \(..., '):
        sinkhorn_assignment(torch.zeros(3))


@pytest.mark.parametrize('first', ['rows', 'columns'])
@pytest.mark.parametrize('with_masses', [True, False])
def test_bounded_scores_give_the_same_plan(first, with_masses):
    generator = torch.Generator().manual_seed(0)
    scores = 2 * torch.rand(2, 7, 5, generator=generator) - 1
    rows = torch.rand(2, 7, generator=generator) + 0.1
    columns = torch.rand(2, 5, generator=generator) + 0.1
    masses = dict(rows=rows, columns=columns) if with_masses else {}
    options = dict(epsilon=0.05, iterations=3, first=first, **masses)
    kept = scores.clone()
    found = sinkhorn_plan(scores, bound=1.0, **options)
    torch.testing.assert_close(found, sinkhorn_plan(scores, **options))
    assert torch.equal(scores, kept)


def test_bound_that_would_overflow_is_no_matter():
    scores = torch.eye(3)
    found = sinkhorn_plan(scores, epsilon=1e-3, iterations=3, bound=1.0)
    torch.testing.assert_close(found, torch.eye(3) / 3)
