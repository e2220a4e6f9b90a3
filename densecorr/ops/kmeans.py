"""k-means that gives the same centres for the same generator, on CPU or GPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .plan import parse_bytes
from .points import Points, RowPoints
from .precision import full_precision

INITS = ('sampled', 'kmeans++')
_SPLIT = 1 / 1024  # relative shift between the halves of a split cluster, as in faiss
_POOL_PER_CENTER, _POOL = 256, 8192  # points that kmeans++ draws first centres from
_ROWS = 4096  # rows per product; larger blocks leave the cache of a core


@dataclass(frozen=True)
class KMeansRule:
    """How clusters are searched.

    Args:
        iterations: at most, of every restart; a restart ends when nothing moves.
        restarts: the one of smallest inertia is kept.
        init: first centres are distinct points (``'sampled'``, as in faiss), or drawn
            one after the other by their squared distance to the nearest so far
            (``'kmeans++'``).
        spherical: points and centres of unit length, by cosine.
        points_per_center: at most this many points per centre are drawn to train on,
            256 in faiss; None: all points.
        min_points: but not fewer than these, where there are as many: with few centres
            a small object would have no point among those that are drawn.
        max_memory: bound in bytes (or ``'64MB'``) on the scores that exist at a time.

    Raises:
        ValueError: an option outside of the allowed ones.
    """

    iterations: int = 50
    restarts: int = 5
    init: str = 'sampled'
    spherical: bool = False
    points_per_center: int | None = 256
    min_points: int = 0
    max_memory: int | str = '64MB'

    def __post_init__(self) -> None:
        if self.init not in INITS:
            raise ValueError(f'init is {self.init!r}; it should be one of {INITS}.')
        for name in ('iterations', 'restarts', 'points_per_center'):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f'{name} is {value}; it should be at least 1.')
        if self.min_points < 0:
            raise ValueError(f'min_points is {self.min_points}; give 0 or more.')
        parse_bytes(self.max_memory)


class Clusters(NamedTuple):
    """Result of :func:`kmeans`.

    Attributes:
        centers: ``(k, d)`` float32.
        inertia: sum of the squared distances of the training points to their centres,
            as of the last assignment.
        history: that sum for every iteration of the restart that was kept.
        num_points: how many points were trained on.
    """

    centers: Tensor
    inertia: float
    history: tuple[float, ...]
    num_points: int


class _Assigned(NamedTuple):
    sums: Tensor  # (k, d) float64
    counts: Tensor  # (k,) int64
    inertia: float


@torch.no_grad()
@full_precision
def kmeans(
    points: Points | Tensor,
    num_clusters: int,
    generator: torch.Generator,
    rule: KMeansRule | None = None,
) -> Clusters:
    """Cluster points by Lloyd's iterations.

    A cluster that loses all its points takes one half of another, which is drawn by
    its number of points, as in faiss.

    Args:
        points: what to cluster; a plain tensor is ``(n, d)``.
        num_clusters: k.
        generator: on the CPU; all draws come from it, for points on any device.
        rule: how; see :class:`KMeansRule`.

    Raises:
        ValueError: more clusters than points, or points that are not finite.

    Reference:
        Johnson et al., arXiv:1702.08734 (faiss): sub-sampling, re-seeding; Arthur and
        Vassilvitskii, SODA 2007: kmeans++.
    """
    rule = rule or KMeansRule()
    source = RowPoints(points) if isinstance(points, Tensor) else points
    if not 1 <= num_clusters <= source.num:
        raise ValueError(
            f'{num_clusters} clusters of {source.num} points are asked for. Give 1 to '
            f'{source.num} clusters, or more or larger feature maps.'
        )
    wanted = num_clusters * (rule.points_per_center or source.num)
    wanted = max(wanted, rule.min_points)
    if wanted < source.num:
        source = RowPoints(source.take(_draw(source.num, wanted, generator)))
    best: Clusters | None = None
    for _ in range(rule.restarts):
        found = _restart(source, num_clusters, generator, rule)
        if best is None or found.inertia < best.inertia:
            best = found
    assert best is not None
    return best


@torch.no_grad()
@full_precision
def nearest_centers(
    points: Points | Tensor,
    centers: Tensor,
    spherical: bool = False,
    max_memory: int | str = '64MB',
) -> Tensor:
    """Number of the nearest centre of every point, ``(n,)`` int64 on its device.

    Args:
        points: as in :func:`kmeans`.
        centers: ``(k, d)``.
        spherical: by cosine.
        max_memory: see :class:`KMeansRule`.
    """
    source = RowPoints(points) if isinstance(points, Tensor) else points
    if source.dim != centers.shape[1]:
        raise ValueError(
            f'points have {source.dim} channels, centres {centers.shape[1]}. Project '
            'both in the same way.'
        )
    rows = _rows(centers, max_memory)
    if spherical:
        centers = F.normalize(centers, dim=1)
    half = centers.square().sum(1) / 2
    nearest = torch.empty(source.num, dtype=torch.int64, device=centers.device)
    start = 0
    for piece in _pieces(source, rows, spherical):
        found = nearest[start : start + len(piece)]
        torch.argmin(_scores(piece, centers, half), dim=1, out=found)
        start += len(piece)
    return nearest


def _restart(
    points: Points, num_clusters: int, generator: torch.Generator, rule: KMeansRule
) -> Clusters:
    centers = _first_centers(points, num_clusters, generator, rule)
    history: list[float] = []
    for _ in range(rule.iterations):
        found = _assign(points, centers, rule)
        history.append(found.inertia)
        if history[-1] != history[-1] or history[-1] == float('inf'):
            raise ValueError(
                'the points hold NaN, infinity or values too large for squares in '
                'float32. Check the features.'
            )
        moved = _moved(found, centers, generator, rule.spherical)
        if torch.equal(moved, centers):
            break
        centers = moved
    return Clusters(centers, history[-1], tuple(history), points.num)


def _assign(points: Points, centers: Tensor, rule: KMeansRule) -> _Assigned:
    """Sums and numbers of the points nearest to every centre."""
    num, half = len(centers), centers.square().sum(1) / 2
    sums = centers.new_zeros(centers.shape, dtype=torch.float64)
    counts = torch.zeros(num, dtype=torch.int64, device=centers.device)
    inertia = centers.new_zeros((), dtype=torch.float64)
    for piece in _pieces(points, _rows(centers, rule.max_memory), rule.spherical):
        scores = _scores(piece, centers, half)  # (m, k)
        nearest = scores.argmin(1, keepdim=True)
        least = scores.gather(1, nearest)[:, 0] + piece.square().sum(1) / 2
        inertia += 2 * least.clamp_min(0).sum(dtype=torch.float64)
        sums += _sums(piece, nearest[:, 0], num)
        counts += torch.bincount(nearest[:, 0], minlength=num)
    return _Assigned(sums, counts, float(inertia))


def _sums(piece: Tensor, nearest: Tensor, num: int) -> Tensor:
    """Sum of the rows of every cluster, ``(k, d)``, in an order that never changes."""
    if piece.device.type == 'cpu':
        return piece.new_zeros(num, piece.shape[1]).index_add_(0, nearest, piece)
    # atomic additions on a GPU end in another order every time; a product does not
    return F.one_hot(nearest, num).to(piece.dtype).t() @ piece


def _moved(
    found: _Assigned, centers: Tensor, generator: torch.Generator, spherical: bool
) -> Tensor:
    """Centres after an assignment."""
    counts = found.counts.clamp_min(1)[:, None]
    means = (found.sums / counts).float()
    means = torch.where(found.counts[:, None] > 0, means, centers)
    empty = (found.counts == 0).nonzero()[:, 0].tolist()
    if empty:
        means = _split(means, found.counts.cpu().double(), empty, generator)
    return F.normalize(means, dim=1) if spherical else means


def _split(
    centers: Tensor, counts: Tensor, empty: list[int], generator: torch.Generator
) -> Tensor:
    """Give every empty cluster one half of a full one."""
    centers, counts = centers.clone(), counts.clone()
    signs = torch.ones(centers.shape[1], device=centers.device)
    signs[1::2] = -1
    for place in empty:
        weights = (counts - 1).clamp_min(0)
        if not float(weights.sum()) > 0:
            break  # as many points as clusters, some of them equal
        donor = _weighted(weights, generator)
        centers[place] = centers[donor] * (1 + _SPLIT * signs)
        centers[donor] *= 1 - _SPLIT * signs
        half = (counts[donor] / 2).floor()
        counts[place], counts[donor] = half, counts[donor] - half
    return centers


def _first_centers(
    points: Points, num_clusters: int, generator: torch.Generator, rule: KMeansRule
) -> Tensor:
    if rule.init == 'sampled':
        centers = points.take(_draw(points.num, num_clusters, generator))
        return F.normalize(centers, dim=1) if rule.spherical else centers.clone()
    pool = min(points.num, max(_POOL_PER_CENTER * num_clusters, _POOL))
    rows = points.take(_draw(points.num, pool, generator))
    if rule.spherical:
        rows = F.normalize(rows, dim=1)
    picked = [int(torch.randint(len(rows), (1,), generator=generator))]
    norms = rows.square().sum(1)
    distance = rows.new_full((len(rows),), torch.inf)
    for _ in range(num_clusters - 1):
        last = picked[-1]
        to_last = norms + norms[last] - 2 * (rows @ rows[last])
        to_last[last] = 0
        distance = torch.minimum(distance, to_last.clamp_min_(0))
        picked.append(_weighted(distance.cpu().double(), generator))
    return rows[picked].clone()


def _draw(total: int, number: int, generator: torch.Generator) -> Tensor:
    """``number`` distinct integers below ``total``, in random order."""
    if number * 8 > total:
        return torch.randperm(total, generator=generator)[:number]
    found = torch.empty(0, dtype=torch.int64)
    while len(found) < number:  # at most an eighth repeats
        more = torch.randint(total, (number - len(found),), generator=generator)
        found = torch.cat([found, more])
        values, first = found.sort(stable=True)
        fresh = torch.ones_like(values, dtype=torch.bool)
        fresh[1:] = values[1:] != values[:-1]
        found = found[first[fresh].sort().values]
    return found


def _weighted(weights: Tensor, generator: torch.Generator) -> int:
    """An index drawn by weights ``(n,)`` float64; uniform where all are 0."""
    sums = weights.cumsum(0)
    if not float(sums[-1]) > 0:
        return int(torch.randint(len(weights), (1,), generator=generator))
    draw = torch.rand(1, generator=generator, dtype=torch.float64) * sums[-1]
    place = int(torch.searchsorted(sums, draw, right=True))
    return min(place, int(weights.nonzero()[-1]))


def _pieces(points: Points, rows: int, spherical: bool) -> Iterator[Tensor]:
    """Pieces of at most ``rows`` points."""
    for piece in points.pieces(rows):
        for part in piece.split(rows):
            yield F.normalize(part, dim=1) if spherical else part


def _rows(centers: Tensor, max_memory: int | str) -> int:
    bytes_per_row = centers.element_size() * (2 * len(centers) + 2 * centers.shape[1])
    return max(1, min(_ROWS, parse_bytes(max_memory) // bytes_per_row))


def _scores(piece: Tensor, centers: Tensor, half: Tensor) -> Tensor:
    """Half the squared distance less that of the point to 0, ``(m, k)``."""
    return torch.addmm(half, piece, centers.t(), alpha=-1)
