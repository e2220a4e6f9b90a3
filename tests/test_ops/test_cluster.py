"""Points of enlarged maps, projection, and cluster maps on top of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.ops.cluster import (
    assigned_map,
    cluster_maps,
    group_prototypes,
    project_maps,
    prototype_maps,
)
from densecorr.ops.kmeans import KMeansRule
from densecorr.ops.pca import fit_projection
from densecorr.ops.points import MapPoints, RowPoints


def _maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('how', ['bilinear', 'nearest'])
@pytest.mark.parametrize('size', [(9, 13), (4, 6), (3, 2)])
def test_enlarged_points(how: str, size: tuple[int, int]) -> None:
    maps = _maps(3, 4, 6, 5)
    expected = F.interpolate(maps.permute(0, 3, 1, 2), size, mode=how)
    rows = expected.permute(0, 2, 3, 1).reshape(-1, 5)
    points = MapPoints(maps, size, how)
    assert (points.num, points.dim) == rows.shape
    torch.testing.assert_close(torch.cat(list(points.pieces(7))), rows)
    index = torch.randperm(points.num)[:20]
    torch.testing.assert_close(points.take(index), rows[index])


def test_points_of_a_file(tmp_path: Path) -> None:
    maps = _maps(3, 4, 4, 6).half()
    np.save(tmp_path / 'maps.npy', maps.numpy())
    stored = np.load(tmp_path / 'maps.npy', mmap_mode='r')
    projection = project_maps(stored, 3)
    read = MapPoints(stored, (8, 8), transform=projection)
    kept = MapPoints(projection(maps), (8, 8))
    assert (read.num, read.dim) == (3 * 64, 3)
    torch.testing.assert_close(*(torch.cat(list(p.pieces(64))) for p in (read, kept)))
    index = torch.tensor([0, 100, 191])
    torch.testing.assert_close(read.take(index), kept.take(index))


def test_projection_is_that_of_the_definition() -> None:
    rows = _maps(3000, 6) @ _maps(6, 6, seed=1) + 3 * _maps(6, seed=2)
    projection = fit_projection(RowPoints(rows), 4)
    standard = (rows - rows.mean(0)) / rows.std(0, correction=0)
    _, singular, directions = torch.linalg.svd(standard, full_matrices=False)
    expected = standard @ directions[:4].t()
    found = projection(rows)
    torch.testing.assert_close(found.abs(), expected.abs(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(
        projection.variance, singular[:4].square() / 3000, atol=1e-4, rtol=1e-4
    )
    whole = fit_projection(RowPoints(rows))(rows)
    torch.testing.assert_close(whole, standard, atol=1e-4, rtol=1e-4)
    centred = fit_projection(RowPoints(rows), standardize=False)(rows)
    torch.testing.assert_close(centred, rows - rows.mean(0), atol=1e-4, rtol=1e-4)


def test_signs_and_constant_channels() -> None:
    rows = _maps(400, 5)
    rows[:, 3] = 0.7  # not a number that float32 holds
    a, b = (fit_projection(RowPoints(sign * rows), 4) for sign in (1, -1))
    torch.testing.assert_close(a.components, b.components)
    assert (a.components[:, 3] == 0).all()
    largest = a.components.abs().argmax(1, keepdim=True)
    assert (a.components.gather(1, largest) > 0).all()


def test_cluster_maps_of_two_halves() -> None:
    maps = torch.zeros(2, 4, 6, 3)
    maps[:, :, 3:] = torch.tensor([1.0, 2.0, 3.0])
    generator = torch.Generator().manual_seed(0)
    labels, found = cluster_maps(maps, (8, 12), 2, generator, how='nearest')
    left, right = labels[:, :, :6], labels[:, :, 6:]
    assert left.unique().numel() == right.unique().numel() == 1
    assert left[0, 0, 0] != right[0, 0, 0]
    torch.testing.assert_close(
        assigned_map(maps[1:], found.centers, (8, 12), how='nearest'), labels[1:]
    )


def test_prototypes_and_their_groups() -> None:
    prototypes = torch.eye(4)
    prototypes[1] = prototypes[0] + 0.1 * prototypes[1]
    maps = prototypes[torch.tensor([[0, 1], [2, 3]])][None] * 5
    labels = prototype_maps(maps, prototypes, (2, 2))
    assert labels.tolist() == [[[0, 1], [2, 3]]]
    generator = torch.Generator().manual_seed(0)
    rule = KMeansRule(restarts=10)
    groups = group_prototypes(prototypes, 3, generator, rule)
    assert groups[0] == groups[1]
    assert groups.unique().numel() == 3
    grouped = prototype_maps(maps, prototypes, (2, 2), groups)
    assert torch.equal(grouped[0], groups[labels[0]])


def test_errors() -> None:
    maps = torch.zeros(1, 2, 2, 3)
    with pytest.raises(ValueError, match=r'dim is 4; features of 3 channels have 1'):
        fit_projection(RowPoints(torch.zeros(5, 3)), 4)
    with pytest.raises(ValueError, match='features hold NaN or infinity'):
        fit_projection(RowPoints(torch.full((5, 3), torch.nan)), 2)
    with pytest.raises(ValueError, match=r'maps are \(2, 3\); they should be'):
        MapPoints(maps[0, 0], (2, 2))
    with pytest.raises(ValueError, match=r'size is \(0, 2\); give'):
        MapPoints(maps, (0, 2))
    with pytest.raises(ValueError, match=r"how is 'cubic'; it should be one of"):
        MapPoints(maps, (2, 2), 'cubic')
    with pytest.raises(ValueError, match=r'have 3 channels, the prototypes 5'):
        prototype_maps(maps, torch.zeros(2, 5), (2, 2))
