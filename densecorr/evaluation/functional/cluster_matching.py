"""Clusters against classes: contingency tables, matching rules, mean IoU.

Everything is computed from one table of pixel counts per class and cluster, so that
the cost does not grow with the number of classes, and tables of frames add up.

Reference:
    Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796, Sec. 4; the rules are those of
    the released SMSD75/Timetuning (94550b5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

RULES = ('hungarian', 'many_to_one', 'many_to_one_precision', 'linear_probe')
UNITS = ('frame', 'clip', 'dataset')
BACKGROUND = 0
_WIDEST = 2**22  # cells of a table that is counted without sorting the pixels


class Contingency(NamedTuple):
    """Pixels of every pair of a class and a cluster.

    Attributes:
        counts: ``(classes, clusters)`` int64.
        classes: ``(classes,)`` int64 labels of the rows, ascending.
        clusters: ``(clusters,)`` int64 labels of the columns, ascending.
    """

    counts: np.ndarray
    classes: np.ndarray
    clusters: np.ndarray


class ClassScores(NamedTuple):
    """IoU of the classes of a table after matching.

    Attributes:
        classes: ``(classes,)`` int64 labels that are scored.
        iou: ``(classes,)`` fractions; 0 for a class without a pixel in either map.
        tp: ``(classes,)`` pixels that have the class in both maps.
        fp: ``(classes,)`` pixels that are predicted so and annotated otherwise.
        fn: ``(classes,)`` pixels that are annotated so and predicted otherwise.
        miou: mean of ``iou``; 0 where no class is left to score.
    """

    classes: np.ndarray
    iou: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    miou: float


def contingency(
    pred: np.ndarray, target: np.ndarray, void: int | None = None
) -> Contingency:
    """Table of the classes and clusters that occur.

    Args:
        pred: cluster of every pixel, integers of any shape.
        target: class of every pixel, of the same shape.
        void: label of pixels that do not count; None: every pixel counts.

    Raises:
        ValueError: shapes differ.
        TypeError: maps are not of integers.
    """
    pred, target = _counted_pixels(pred, target, void)
    if not pred.size:
        empty = np.zeros(0, np.int64)
        return Contingency(np.zeros((0, 0), np.int64), empty, empty)
    classes, target = _numbered(target)
    clusters, pred = _numbered(pred)
    if len(classes) * len(clusters) > _WIDEST:
        present, target = np.unique(target, return_inverse=True)
        classes = classes[present]
        present, pred = np.unique(pred, return_inverse=True)
        clusters = clusters[present]
    pairs = np.multiply(target, len(clusters), dtype=np.int64, casting='unsafe')
    np.add(pairs, pred, out=pairs, casting='unsafe')
    counts = np.bincount(pairs, minlength=len(classes) * len(clusters))
    counts = counts.reshape(len(classes), len(clusters))
    return _without_empty(Contingency(counts, classes, clusters))


def fixed_contingency(
    pred: np.ndarray,
    target: np.ndarray,
    num_classes: int,
    num_clusters: int,
    void: int | None = None,
) -> Contingency:
    """Table of all classes and clusters, those that do not occur among them.

    With it a class without a pixel counts as IoU 0 in the mean, as in the older
    evaluation of Pascal VOC with 21 classes.

    Args:
        pred: clusters in ``0..num_clusters - 1``.
        target: classes in ``0..num_classes - 1`` where they are not void.
        num_classes: rows of the table.
        num_clusters: columns of the table.
        void: see :func:`contingency`.

    Raises:
        ValueError: shapes differ, or labels are out of range; names them.
        TypeError: maps are not of integers.
    """
    pred, target = _counted_pixels(pred, target, void)
    _check_range('annotation', target, num_classes, 'num_classes')
    _check_range('prediction', pred, num_clusters, 'num_clusters')
    pairs = target.astype(np.int64) * num_clusters + pred
    counts = np.bincount(pairs, minlength=num_classes * num_clusters)
    return Contingency(
        counts.reshape(num_classes, num_clusters),
        np.arange(num_classes),
        np.arange(num_clusters),
    )


def add_tables(tables: Iterable[Contingency]) -> Contingency:
    """One table for all pixels of several: labels mean the same in all of them."""
    tables = list(tables)
    empty = np.zeros(0, np.int64)
    classes = np.unique(np.concatenate([empty, *(t.classes for t in tables)]))
    clusters = np.unique(np.concatenate([empty, *(t.clusters for t in tables)]))
    counts = np.zeros((len(classes), len(clusters)), np.int64)
    for table in tables:
        rows = np.searchsorted(classes, table.classes)
        columns = np.searchsorted(clusters, table.clusters)
        counts[rows[:, None], columns] += table.counts
    return Contingency(counts, classes, clusters)


def pair_iou(counts: np.ndarray) -> np.ndarray:
    """IoU ``(classes, clusters)`` of every class with every cluster; 0 where empty."""
    union = counts.sum(1, keepdims=True) + counts.sum(0) - counts
    return np.divide(counts, union, out=np.zeros(counts.shape), where=union > 0)


def match_clusters(table: Contingency, rule: str = 'hungarian') -> np.ndarray:
    """Class of every cluster, ``(clusters,)`` int64.

    Args:
        table: counts.
        rule: ``'hungarian'``: one to one with the highest sum of IoU, clusters left
            over become class 0, whether the annotation has it or not;
            ``'many_to_one'``: the class of highest IoU; ``'many_to_one_precision'``:
            the class that most of the cluster's pixels have; of equal classes the
            smaller one; ``'linear_probe'``: clusters are classes already.

    Raises:
        ValueError: unknown rule.
    """
    if rule not in RULES:
        raise ValueError(f'rule is {rule!r}; it should be one of {list(RULES)}.')
    if rule == 'linear_probe':
        return table.clusters.astype(np.int64)
    matched = np.full(len(table.clusters), BACKGROUND, np.int64)
    if not table.counts.size:
        return matched
    if rule == 'hungarian':
        rows, columns = one_to_one(table)
        matched[columns] = table.classes[rows]
        return matched
    merits = pair_iou(table.counts) if rule == 'many_to_one' else table.counts
    return table.classes[merits.argmax(0)].astype(np.int64)


def one_to_one(table: Contingency) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pairs with the highest sum of IoU."""
    return linear_sum_assignment(1 - pair_iou(table.counts))


def merge_matched(table: Contingency, matched: np.ndarray) -> Contingency:
    """Pixels by annotated and matched class: clusters of a class become one column."""
    predicted, places = np.unique(np.asarray(matched, np.int64), return_inverse=True)
    counts = np.zeros((len(predicted), len(table.classes)), np.int64)
    np.add.at(counts, places, table.counts.T)
    return Contingency(counts.T, table.classes, predicted)


def matched_scores(
    table: Contingency, matched: np.ndarray, background: bool = True
) -> ClassScores:
    """IoU of every class of the table, and their mean.

    Args:
        table: counts.
        matched: ``(clusters,)`` class of every cluster, see :func:`match_clusters`.
        background: class 0 counts in the mean; False drops it, and a table of nothing
            but class 0 scores 0.
    """
    hits = table.classes[:, None] == np.asarray(matched)  # (classes, clusters)
    tp = (table.counts * hits).sum(1)
    fp = (table.counts.sum(0) * hits).sum(1) - tp
    fn = table.counts.sum(1) - tp
    union = tp + fp + fn
    iou = np.divide(tp, union, out=np.zeros(len(union)), where=union > 0)
    kept = np.full(len(iou), True) if background else table.classes != BACKGROUND
    miou = float(iou[kept].mean()) if kept.any() else 0.0
    classes, iou, tp, fp, fn = (a[kept] for a in (table.classes, iou, tp, fp, fn))
    return ClassScores(classes, iou, tp, fp, fn, miou)


def relabel(pred: np.ndarray, table: Contingency, matched: np.ndarray) -> np.ndarray:
    """Prediction with every cluster replaced by its class, int64.

    Pixels of clusters that the table does not have become class 0.
    """
    pred = np.asarray(pred)
    if not len(table.clusters):
        return np.full(pred.shape, BACKGROUND, np.int64)
    place = np.searchsorted(table.clusters, pred).clip(max=len(table.clusters) - 1)
    known = table.clusters[place] == pred
    return np.where(known, np.asarray(matched, np.int64)[place], BACKGROUND)


def cluster_scores(
    pred: np.ndarray,
    target: np.ndarray,
    rule: str = 'hungarian',
    background: bool = True,
    void: int | None = None,
) -> ClassScores:
    """Match clusters with classes and score the classes: arguments as above."""
    table = contingency(pred, target, void)
    return matched_scores(table, match_clusters(table, rule), background)


def unit_scores(
    tables: Sequence[Sequence[Contingency]],
    unit: str = 'frame',
    rule: str = 'hungarian',
    background: bool = True,
) -> np.ndarray:
    """Mean IoU of every frame, every clip, or of the whole set: ``(units,)``.

    The published number is their mean. (The official evaluation means over loader
    batches first, which gives the frames of a smaller last batch more weight.)

    Args:
        tables: one per frame, grouped by clip.
        unit: what clusters are matched over.
        rule: see :func:`match_clusters`.
        background: see :func:`matched_scores`.

    Raises:
        ValueError: unknown unit or rule, or no table.
    """
    if unit not in UNITS:
        raise ValueError(f'unit is {unit!r}; it should be one of {list(UNITS)}.')
    frames = [table for clip in tables for table in clip]
    if not frames:
        raise ValueError('there is no frame to score. Check the list of clips.')
    if unit == 'frame':
        units = frames
    elif unit == 'clip':
        units = [add_tables(clip) for clip in tables if len(clip)]
    else:
        units = [add_tables(frames)]
    return np.array(
        [matched_scores(t, match_clusters(t, rule), background).miou for t in units]
    )


def _numbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels ``(span,)`` from the least to the largest, and the number of each pixel's.

    Where they lie far apart, only those that occur.
    """
    low, high = int(labels.min()), int(labels.max())
    if high - low >= _WIDEST:
        values, numbers = np.unique(labels, return_inverse=True)
        return values.astype(np.int64), numbers
    span = np.arange(low, high + 1)
    return span, labels if low == 0 else labels.astype(np.int64) - low


def _without_empty(table: Contingency) -> Contingency:
    rows, columns = table.counts.any(1), table.counts.any(0)
    counts = table.counts[rows][:, columns]
    return Contingency(counts, table.classes[rows], table.clusters[columns])


def _counted_pixels(
    pred: np.ndarray, target: np.ndarray, void: int | None
) -> tuple[np.ndarray, np.ndarray]:
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.shape != target.shape:
        raise ValueError(
            f'The prediction is {pred.shape}, the annotation {target.shape}. Enlarge '
            'the features to the size of the annotation, or resize the annotation.'
        )
    for name, labels in (('prediction', pred), ('annotation', target)):
        if labels.dtype.kind not in 'iub':
            raise TypeError(
                f'the {name} is of {labels.dtype}; labels are integers. Convert it.'
            )
    if void is None:
        return pred.reshape(-1), target.reshape(-1)
    counted = target != void
    return pred[counted], target[counted]


def _check_range(what: str, labels: np.ndarray, number: int, name: str) -> None:
    wrong = labels[(labels < 0) | (labels >= number)]
    if len(wrong):
        raise ValueError(
            f'the {what} has labels {np.unique(wrong)[:10].tolist()}; they should be '
            f'0 to {number - 1}. Correct it, or give the right {name}.'
        )
