"""TimeT: features to cluster maps, by k-means and by prototypes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from densecorr.evaluation.functional.cluster_matching import contingency, unit_scores
from densecorr.ops.cluster import cluster_maps, project_maps, prototype_maps
from densecorr.ops.kmeans import KMeansRule

from .replay import Case, replay

UNITS = dict(frame_wise='frame', sample_wise='clip', dataset_wise='dataset')
SAME = 0.995  # share of pixels, after renaming the clusters
_SHOWN = 40  # patches whose distances are recorded


def _share_equal(pred: np.ndarray, target: np.ndarray) -> float:
    """Best share of equal pixels over all names of the clusters."""
    table = contingency(pred, target)
    return table.counts.max(0).sum() / table.counts.sum()


def _by_unit(maps: Tensor, unit: str, case: Case) -> np.ndarray:
    """``(v, t, h, w, c)`` maps to ``(v, t, H, W)`` clusters."""
    videos, frames = maps.shape[:2]
    groups = dict(
        frame=maps.flatten(0, 1)[:, None],
        clip=maps,
        dataset=maps.flatten(0, 1)[None],
    )[unit]
    size = (case.input_resolution, case.input_resolution)
    rule = KMeansRule(iterations=case.niter, restarts=2 * case.nredo)
    found = []
    for group in groups:
        generator = torch.Generator().manual_seed(case.seed)
        labels, clusters = cluster_maps(
            group, size, case.num_clusters, generator, rule=rule
        )
        assert clusters.num_points == labels.numel()  # nothing was left out
        found.append(labels)
    return torch.cat(found).view(videos, frames, *size).cpu().numpy()


@replay(
    'timet',
    'cluster_features',
    inputs=[
        *('features', 'num_clusters', 'feature_resolution', 'input_resolution'),
        *('pca_dim', 'niter', 'nredo', 'seed', 'gt'),
    ],
)
def test_cluster_features(case: Case) -> None:
    tokens = case.tensor('features')  # (v, t, n, d)
    projected = project_maps(tokens, case.pca_dim)(tokens)
    shown = projected.flatten(0, 2)[:_SHOWN]
    distances = (shown[:, None] - shown).norm(dim=-1)
    case.close('pair_distances', distances, atol=1e-3)
    side = case.feature_resolution
    maps = projected.unflatten(2, (side, side))
    for official, unit in UNITS.items():
        found = _by_unit(maps, unit, case)
        expected = case[f'map_{official}']
        group_axes = dict(frame=2, clip=1, dataset=0)[unit]
        for group in np.ndindex(found.shape[:group_axes]):
            assert _share_equal(found[group], expected[group]) >= SAME, (unit, group)
        case.compared(f'map_{official}')
        tables = [
            [contingency(p, t) for p, t in zip(*clip, strict=True)]
            for clip in zip(found, case.gt, strict=True)
        ]
        score = unit_scores(tables, unit, 'hungarian').mean()
        case.close(f'miou_{official}', score, atol=0.01)


@replay(
    'timet',
    'prototype_clustering',
    inputs=['features', 'prototypes', 'grid', 'output_size'],
)
def test_prototype_clustering(case: Case) -> None:
    maps = case.tensor('features').unflatten(1, (case.grid, case.grid))
    size = (case.output_size, case.output_size)
    case.exact('assignments', prototype_maps(maps, case.tensor('prototypes'), size))
