"""Which clusters are foreground, and how well they cover it.

Clusters are ranked by how much of them lies on attended pixels; on annotated images the
best cut of the ranking gives a threshold of precision, which is applied to others.

Reference:
    Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796; Ziegler and Asano (Leopart),
    CVPR 2022, arXiv:2204.13101, Sec. 3.3: cluster-based foreground extraction. Numbers
    are those of the released SMSD75/Timetuning (94550b5).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

VOID = 255
CONTOURS = ('foreground', 'background')
_CUTS = (0.55, 0.75)  # share of the clusters that is background, first and last cut
_STEP = 0.05  # thresholds are its multiples


class CutSearch(NamedTuple):
    """Result of :func:`search_cut`.

    Attributes:
        starts: ``(cuts,)`` rank from which on clusters are foreground.
        precisions: ``(cuts,)`` precision of the cluster at that rank.
        jaccards: ``(cuts,)`` mean Jaccard over the images; NaN where none has one.
        threshold: the multiple of the step that is nearest to the best precision.
    """

    starts: np.ndarray
    precisions: np.ndarray
    jaccards: np.ndarray
    threshold: float


def cluster_precision(
    clusters: np.ndarray, attended: np.ndarray, num_clusters: int
) -> np.ndarray:
    """How much of a cluster lies on attended pixels, ``(k,)`` float64 fractions.

    Of every image in which a cluster occurs the share of its pixels that are attended;
    the mean over these images. A cluster that occurs nowhere has 0.

    Args:
        clusters: ``(n, H, W)`` integers in ``0..num_clusters - 1``.
        attended: ``(n, H, W)``, not 0 where attention is high.
        num_clusters: k.

    Raises:
        ValueError: shapes differ or clusters are out of range.
    """
    clusters, attended = np.asarray(clusters), np.asarray(attended) != 0
    _check_shapes('clusters', clusters, 'attention', attended)
    if clusters.size and not 0 <= clusters.min() <= clusters.max() < num_clusters:
        raise ValueError(
            f'clusters are {clusters.min()} to {clusters.max()}; {num_clusters} '
            f'clusters are 0 to {num_clusters - 1}. Give the right num_clusters.'
        )
    total, images = np.zeros(num_clusters), np.zeros(num_clusters)
    for labels, seen in zip(clusters, attended, strict=True):
        pixels = np.bincount(labels.ravel(), minlength=num_clusters)
        inside = np.bincount(labels[seen], minlength=num_clusters)
        total += np.divide(inside, pixels, out=np.zeros(num_clusters), where=pixels > 0)
        images += pixels > 0
    return np.divide(total, images, out=total, where=images > 0)


def jaccard(
    pred: np.ndarray, target: np.ndarray, void_is_foreground: bool = True
) -> np.ndarray:
    """Intersection over union of foreground with the annotation, ``(n,)`` fractions.

    Args:
        pred: ``(n, H, W)`` bool foreground.
        target: ``(n, H, W)`` labels, 0 is background.
        void_is_foreground: label 255 (the boundary in Pascal VOC) is foreground, as in
            the official evaluation; False: it is background.

    Returns:
        NaN where both are empty.
    """
    pred = np.asarray(pred) != 0
    wanted = foreground_of(target, void_is_foreground)
    _check_shapes('prediction', pred, 'annotation', wanted)
    both = (pred & wanted).sum((1, 2))
    either = (pred | wanted).sum((1, 2))
    return np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)


def foreground_of(target: np.ndarray, void_is_foreground: bool = True) -> np.ndarray:
    """Where labels are not background, bool."""
    target = np.asarray(target)
    wanted = target != 0
    return wanted if void_is_foreground else wanted & (target != VOID)


def search_cut(
    clusters: np.ndarray,
    target: np.ndarray,
    precisions: np.ndarray,
    cuts: tuple[float, float] = _CUTS,
    step: float = _STEP,
    void_is_foreground: bool = True,
) -> CutSearch:
    """Rank clusters by precision and find the cut of highest Jaccard.

    Args:
        clusters: ``(n, H, W)`` of annotated images.
        target: ``(n, H, W)`` their labels.
        precisions: ``(k,)``, see :func:`cluster_precision`.
        cuts: shares of k between which cuts are tried: ranks ``int(first * k)`` to
            below ``int(last * k)``.
        step: the threshold is a multiple of it.
        void_is_foreground: see :func:`jaccard`.

    Raises:
        ValueError: too few clusters for a cut, or nothing but background.
    """
    number = len(precisions)
    starts = np.arange(int(cuts[0] * number), int(cuts[1] * number))
    if not len(starts):
        raise ValueError(
            f'{number} clusters have no rank between {cuts[0]} and {cuts[1]} of them. '
            'Take more clusters.'
        )
    order = np.argsort(precisions, kind='stable')
    rank = np.empty(number, np.int64)
    rank[order] = np.arange(number)
    of_images = np.stack(
        [
            _jaccards_from(rank[labels], foreground_of(one, void_is_foreground), starts)
            for labels, one in zip(np.asarray(clusters), target, strict=True)
        ]
    )
    known = ~np.isnan(of_images)
    if not known.any():
        raise ValueError(
            'no image has foreground, neither annotated nor in a cluster, so there is '
            'no cut to search. Give images with labels.'
        )
    total, number = np.where(known, of_images, 0).sum(0), known.sum(0)
    scores = np.divide(
        total, number, out=np.full(len(starts), np.nan), where=number > 0
    )
    best = float(precisions[order[starts[int(np.nanargmax(scores))]]])
    threshold = round(round(best / step) * step, 10)
    return CutSearch(starts, precisions[order[starts]], scores, threshold)


def clusters_above(
    clusters: np.ndarray, precisions: np.ndarray, threshold: float
) -> np.ndarray:
    """Foreground: pixels of clusters whose precision reaches the threshold, bool."""
    return (np.asarray(precisions) >= threshold)[np.asarray(clusters)]


def contour_f(
    pred: np.ndarray,
    target: np.ndarray,
    distance: float = 16,
    contour: str = 'foreground',
) -> float:
    """Boundary F of one image: contour points closer than a distance to the other.

    Args:
        pred: ``(H, W)`` bool foreground.
        target: ``(H, W)`` labels, 0 is background.
        distance: in pixels, exclusive.
        contour: of the annotation's ``'foreground'``, or of its ``'background'``, which
            runs along the edge of the image too, as in the official evaluation.

    Returns:
        ``2 P R / (P + R)``; 0 where the prediction is empty, NaN where the annotation
        has no contour.

    Raises:
        ValueError: shapes differ, or an unknown ``contour``.
    """
    if contour not in CONTOURS:
        raise ValueError(f'contour is {contour!r}; it should be one of {CONTOURS}.')
    pred, wanted = np.asarray(pred) != 0, foreground_of(target)
    _check_shapes('prediction', pred, 'annotation', wanted)
    found = contour_points(pred)
    expected = contour_points(wanted if contour == 'foreground' else ~wanted)
    if not len(expected):
        return float('nan')
    if not len(found):
        return 0.0
    precision = _share_near(found, expected, pred.shape, distance)
    recall = _share_near(expected, found, pred.shape, distance)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def contour_points(region: np.ndarray) -> np.ndarray:
    """Points ``(n, 2)`` (row, col) of all contours of a region, outer and inner.

    They are in the region; a point that a contour passes twice is there twice.
    """
    plane = np.ascontiguousarray(region, dtype=np.uint8)
    contours, _ = cv2.findContours(plane, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.zeros((0, 2), np.int64)
    points = np.concatenate([one.reshape(-1, 2) for one in contours])
    return points[:, ::-1].astype(np.int64)


def _jaccards_from(
    ranks: np.ndarray, wanted: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Jaccard ``(cuts,)`` of one image if ranks from each start on are foreground.

    All cuts come from one count of the pixels of every rank.
    """
    _check_shapes('clusters', ranks, 'annotation', wanted)
    length = max(int(starts[-1]), int(ranks.max())) + 1

    def from_each_start(pixels: np.ndarray) -> np.ndarray:
        return np.bincount(pixels, minlength=length)[::-1].cumsum()[::-1][starts]

    both = from_each_start(ranks[wanted])
    either = wanted.sum() + from_each_start(ranks[~wanted])
    return np.divide(both, either, out=np.full(len(starts), np.nan), where=either > 0)


def _share_near(
    points: np.ndarray, others: np.ndarray, size: tuple[int, ...], distance: float
) -> float:
    away = np.ones(size, bool)
    away[others[:, 0], others[:, 1]] = False
    nearest = distance_transform_edt(away)[points[:, 0], points[:, 1]]
    return float(np.mean(nearest < distance))


def _check_shapes(name: str, a: np.ndarray, other: str, b: np.ndarray) -> None:
    if a.shape != b.shape:
        raise ValueError(
            f'the {name} is {a.shape}, the {other} {b.shape}. Resize one of them.'
        )
