"""From feature maps to cluster maps: by k-means, or by given prototypes."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .kmeans import Clusters, KMeansRule, kmeans, nearest_centers
from .pca import Projection, fit_projection
from .points import MapPoints, RowPoints, Transform, as_float, enlarge
from .precision import full_precision


def project_maps(
    maps: Tensor | np.ndarray, dim: int | None = 50, standardize: bool = True
) -> Projection:
    """:func:`fit_projection` on the cells of ``(n, h, w, c)`` maps.

    Maps of ``dim`` channels or fewer keep all their directions.
    """
    rows = RowPoints(maps.reshape(-1, maps.shape[-1]))
    kept = None if dim is None else min(dim, rows.dim)
    return fit_projection(rows, kept, standardize)


def cluster_maps(
    maps: Tensor | np.ndarray,
    size: tuple[int, int],
    num_clusters: int,
    generator: torch.Generator,
    *,
    rule: KMeansRule | None = None,
    transform: Transform | None = None,
    how: str = 'bilinear',
) -> tuple[Tensor, Clusters]:
    """k-means over all pixels of enlarged feature maps.

    Args:
        maps: ``(n, h, w, c)`` of one frame, one clip or a whole set, in memory or
            memory-mapped.
        size: ``(H, W)`` of the cluster maps.
        num_clusters: k.
        generator: see :func:`kmeans`.
        rule: see :func:`kmeans`.
        transform: see :class:`MapPoints`, for example a projection.
        how: see :class:`MapPoints`.

    Returns:
        ``(n, H, W)`` int64 cluster of every pixel, and the clusters.

    Raises:
        ValueError: as :func:`kmeans` and :class:`MapPoints`.
    """
    rule = rule or KMeansRule()
    points = MapPoints(maps, size, how, transform=transform)
    found = kmeans(points, num_clusters, generator, rule)
    labels = assigned_map(maps, found.centers, size, rule, transform=transform, how=how)
    return labels, found


def assigned_map(
    maps: Tensor | np.ndarray,
    centers: Tensor,
    size: tuple[int, int],
    rule: KMeansRule | None = None,
    *,
    transform: Transform | None = None,
    how: str = 'bilinear',
) -> Tensor:
    """Nearest centre of every pixel of enlarged maps, ``(n, H, W)`` int64.

    Images of a set can be assigned one by one, each at the size of its annotation.
    """
    rule = rule or KMeansRule()
    points = MapPoints(maps, size, how, transform=transform)
    nearest = nearest_centers(points, centers, rule.spherical, rule.max_memory)
    return nearest.view(-1, *size)


@torch.no_grad()
@full_precision
def prototype_maps(
    maps: Tensor | np.ndarray,
    prototypes: Tensor,
    size: tuple[int, int],
    groups: Tensor | None = None,
) -> Tensor:
    """Prototype of highest cosine at every pixel, ``(n, H, W)`` int64.

    The cosines are enlarged bilinearly, then the best is taken; one image at a time.

    Args:
        maps: ``(n, h, w, c)`` features.
        prototypes: ``(p, c)``.
        size: (H, W).
        groups: ``(p,)`` group of every prototype (see :func:`group_prototypes`), which
            is returned in place of the prototype.

    Raises:
        ValueError: channels differ.
    """
    if maps.shape[-1] != prototypes.shape[-1]:
        raise ValueError(
            f'the features have {maps.shape[-1]} channels, the prototypes '
            f'{prototypes.shape[-1]}. Take the features that they were trained on.'
        )
    rows = F.normalize(prototypes, dim=-1)
    labels = []
    for start in range(len(maps)):
        feats = as_float(maps[start : start + 1], rows.device)
        cosines = F.normalize(feats, dim=-1) @ rows.t()  # (1, h, w, p)
        labels.append(enlarge(cosines, size).argmax(-1))
    found = torch.cat(labels)
    return found if groups is None else groups.to(found.device)[found]


def group_prototypes(
    prototypes: Tensor,
    num_groups: int,
    generator: torch.Generator,
    rule: KMeansRule | None = None,
) -> Tensor:
    """Group ``(p,)`` int64 of every prototype, by k-means."""
    rule = rule or KMeansRule()
    found = kmeans(prototypes, num_groups, generator, rule)
    return nearest_centers(prototypes, found.centers, rule.spherical)
