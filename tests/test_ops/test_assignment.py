import pytest
import torch

from densecorr.ops.assignment import best_assignment


def tables(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_known_answer():
    scores = torch.tensor([[3.0, 2.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert best_assignment(scores).tolist() == [1, 0, 2]


@pytest.mark.parametrize('size', [1, 2, 3, 4, 5])
def test_permutations_equal_scipy(size):
    scores = tables(2, 30, size, size, seed=size)
    found = best_assignment(scores, 'permutations')
    assert torch.equal(found, best_assignment(scores, 'scipy'))
    assert torch.equal(found, best_assignment(scores))
    assert torch.equal(found.sort(-1).values, torch.arange(size).expand_as(found))


def test_large_tables_go_to_scipy():
    scores = tables(3, 7, 7)
    found = best_assignment(scores)
    assert torch.equal(found, best_assignment(scores, 'scipy'))
    total = scores.gather(-1, found[..., None]).sum()
    others = torch.stack([torch.randperm(7) for _ in range(200)])
    for table, own in zip(scores, found, strict=True):
        best = table[torch.arange(7), own].sum()
        assert (table[torch.arange(7), others].sum(-1) <= best + 1e-6).all()
    assert torch.isfinite(total)


def test_permuted_columns_give_the_permuted_assignment():
    scores, order = tables(4, 4), torch.tensor([2, 0, 3, 1])
    found = best_assignment(scores[:, order])
    assert torch.equal(order[found], best_assignment(scores))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'scores are \(2, 3\).*square'):
        best_assignment(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="method is 'greedy'; choose from"):
        best_assignment(torch.zeros(2, 2), 'greedy')
