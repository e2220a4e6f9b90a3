"""Dense retrieval against the same thing written out in loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from densecorr.ops.retrieval import cell_shares, nearest_rows, sample_cells, vote


def test_shares_of_a_map_that_is_counted_by_hand() -> None:
    labels = np.array([[0, 1, 2, 2], [0, 0, 2, 1]], np.uint8)
    found = cell_shares(labels, (1, 2), 3)
    assert found.tolist() == [[[0.75, 0.25, 0.0], [0.0, 0.25, 0.75]]]
    with pytest.raises(ValueError, match=r'2x4, no multiple of the 2x3 cells. Resize'):
        cell_shares(labels, (2, 3), 3)
    with pytest.raises(ValueError, match=r'a label is 2; there are 2 classes, from 0'):
        cell_shares(labels, (1, 2), 2)


def test_cells_of_rare_classes_come_first() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(4, (12, 12), p=[0.7, 0.2, 0.08, 0.02]).astype(np.uint8)
    shares = cell_shares(labels, (6, 6), 4).view(36, 4)
    uniform = rng.random(36)
    cells = [labels[2 * r : 2 * r + 2, 2 * c : 2 * c + 2] for r, c in np.ndindex(6, 6)]
    kinds = [set(cell.ravel().tolist()) for cell in cells]
    counts = {kind: sum(kind in found for found in kinds) for kind in range(4)}
    scores = [
        sum(counts[kind] for kind in found) * number
        for found, number in zip(kinds, uniform, strict=True)
    ]
    expected = sorted(range(36), key=lambda i: scores[i])[:5]
    assert sample_cells(shares, 5, torch.from_numpy(uniform)).tolist() == expected


@pytest.mark.parametrize('limit', ['1KB', '60KB', '256MB'])
def test_neighbours_are_those_of_a_full_sort(limit: str) -> None:
    generator = torch.Generator().manual_seed(0)
    memory = torch.randn(300, 8, generator=generator)
    memory[200:] = memory[:100]  # every one of them twice
    queries = torch.cat([torch.randn(40, 8, generator=generator), memory[:9]])
    values, rows = nearest_rows(queries, memory, 6, limit)
    scores = (queries @ memory.t()).numpy()
    order = np.argsort(-scores, axis=1, kind='stable')[:, :6]
    np.testing.assert_allclose(
        values, np.take_along_axis(scores, order, 1), rtol=1e-5, atol=1e-6
    )
    twins = torch.where(rows >= 200, rows - 200, rows).numpy()
    expected = np.where(order >= 200, order - 200, order)
    assert [set(a) for a in twins] == [set(b) for b in expected]
    assert (values[:, 1:] <= values[:, :-1]).all()


def test_a_memory_that_is_too_small() -> None:
    with pytest.raises(ValueError, match=r'7 neighbours are wanted of a memory of 6'):
        nearest_rows(torch.zeros(2, 3), torch.zeros(6, 3), 7)


def test_votes_are_a_softmax_of_cosines() -> None:
    values = torch.tensor([[0.9, 0.5]])
    labels = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
    weight = 1 / (1 + np.exp(-0.4 / 0.1))
    found = vote(values, labels, 0.1)[0]
    assert found[0].item() == pytest.approx(weight + 0.25 * (1 - weight))
    assert found.sum().item() == pytest.approx(1)
