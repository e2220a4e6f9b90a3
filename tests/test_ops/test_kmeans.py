"""k-means: recovers, repeats, re-seeds; its points are the enlarged pixels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from densecorr.ops.kmeans import KMeansRule, kmeans, nearest_centers
from densecorr.ops.points import RowPoints


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _blobs(k: int = 6, each: int = 50, dim: int = 5, seed: int = 0) -> Tensor:
    g = _generator(seed)
    centers = 10 * torch.randn(k, dim, generator=g)
    noise = 0.1 * torch.randn(k * each, dim, generator=g)
    return centers.repeat_interleave(each, 0) + noise


@pytest.mark.parametrize('init', ['sampled', 'kmeans++'])
@pytest.mark.parametrize('spherical', [False, True])
def test_separate_blobs_are_found(init: str, spherical: bool) -> None:
    rule = KMeansRule(init=init, spherical=spherical, restarts=20)
    points = _blobs()
    found = kmeans(points, 6, _generator(), rule)
    labels = nearest_centers(points, found.centers, spherical).view(6, 50)
    assert (labels == labels[:, :1]).all()
    assert labels[:, 0].unique().numel() == 6
    if spherical:
        torch.testing.assert_close(found.centers.norm(dim=1), torch.ones(6))


def test_one_iteration_is_that_of_the_definition() -> None:
    points = torch.randn(50, 3, generator=_generator(1))
    rule = KMeansRule(iterations=1, restarts=1)
    first = points[torch.randperm(50, generator=_generator(2))[:7]]
    found = kmeans(points, 7, _generator(2), rule)
    distances = (points[:, None] - first).square().sum(-1)  # (n, k)
    nearest = distances.argmin(1)
    means = torch.stack([points[nearest == k].mean(0) for k in range(7)])
    torch.testing.assert_close(found.centers, means)
    assert found.inertia == pytest.approx(float(distances.amin(1).sum()), rel=1e-5)


def test_inertia_falls() -> None:
    points = torch.randn(500, 8, generator=_generator())
    history = kmeans(points, 20, _generator(), KMeansRule(restarts=1)).history
    assert len(history) > 3
    assert all(b <= a * (1 + 1e-6) for a, b in pairwise(history))


def test_equal_generators_give_equal_centres_for_any_bound() -> None:
    points = torch.randint(-8, 8, (3000, 4), generator=_generator()).float()
    rules = [KMeansRule(max_memory=bound) for bound in ('64MB', '20KB')]
    a, b, other = (
        kmeans(points, 9, _generator(seed), rule)
        for seed, rule in ((3, rules[0]), (3, rules[1]), (4, rules[0]))
    )
    assert torch.equal(a.centers, b.centers)  # sums of small integers are exact
    assert a.history == b.history
    assert not torch.equal(a.centers, other.centers)


def test_subsampling() -> None:
    points = _blobs(each=2000)
    few, every = (
        kmeans(
            points, 6, _generator(), KMeansRule(init='kmeans++', points_per_center=n)
        )
        for n in (10, None)
    )
    assert (few.num_points, every.num_points) == (60, 12000)
    torch.testing.assert_close(
        few.centers.sort(0).values, every.centers.sort(0).values, atol=0.2, rtol=0
    )


@pytest.mark.parametrize('init', ['sampled', 'kmeans++'])
def test_empty_clusters_are_seeded_again(init: str) -> None:
    # 30 of 32 points are equal: most of the first centres have no point of their own
    points = torch.ones(32, 2)
    points[30:] = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    rule = KMeansRule(init=init, restarts=10)
    found = kmeans(points, 3, _generator(), rule)
    assert found.inertia == pytest.approx(0, abs=1e-4)
    equal = kmeans(torch.zeros(8, 2), 8, _generator(), rule)
    assert equal.inertia == 0
    assert equal.centers.isfinite().all()


def test_as_many_clusters_as_points() -> None:
    points = torch.randn(12, 3, generator=_generator())
    found = kmeans(points, 12, _generator())
    assert found.inertia == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(init='random'), r"init is 'random'; it should be one of"),
        (dict(restarts=0), r'restarts is 0; it should be at least 1'),
        (dict(points_per_center=0), r'points_per_center is 0; it should'),
        (dict(max_memory='much'), r"'much' is not a size"),
    ],
)
def test_rule_errors(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        KMeansRule(**options)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r'5 clusters of 4 points.*Give 1 to 4'):
        kmeans(torch.randn(4, 2), 5, _generator())
    with pytest.raises(ValueError, match=r'points hold NaN, infinity'):
        kmeans(torch.full((4, 2), torch.nan), 2, _generator())
    with pytest.raises(ValueError, match=r'points have 2 channels, centres 3'):
        nearest_centers(torch.zeros(4, 2), torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r'points are \(4,\); they should be'):
        RowPoints(torch.zeros(4))
