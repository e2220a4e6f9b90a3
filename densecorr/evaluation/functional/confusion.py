"""Which classes are taken for which: histogram, IoU and accuracies of label maps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ABOVE = ('raise', 'ignore')
VOID = 255  # label of pixels that do not count
_PERCENT, _DECIMALS = 100, 2
_SHOWN = 10  # labels in a message


class Areas(NamedTuple):
    """Pixels per class, ``(classes,)`` int64 each.

    Attributes:
        hit: pixels that have the class in both maps.
        pred: pixels that are predicted so.
        target: pixels that are annotated so.
    """

    hit: np.ndarray
    pred: np.ndarray
    target: np.ndarray


class ConfusionScores(NamedTuple):
    """Fractions; NaN where a class, or all of them, have no pixel to tell.

    Attributes:
        iou: ``(classes,)`` pixels of the class in both maps / in any. NaN: in none.
        accuracy: ``(classes,)`` share of the annotated pixels that is predicted so.
            NaN: none is annotated so.
        mean_iou: mean of ``iou`` over the classes that occur in either map.
        mean_accuracy: mean of ``accuracy`` over the annotated classes.
        overall_accuracy: share of all annotated pixels whose class is predicted.
        frequency_weighted_iou: mean of ``iou``, weighted by annotated pixels.
    """

    iou: np.ndarray
    accuracy: np.ndarray
    mean_iou: float
    mean_accuracy: float
    overall_accuracy: float
    frequency_weighted_iou: float


def confusion_histogram(
    pred: np.ndarray,
    target: np.ndarray,
    num_classes: int,
    void: int | None = VOID,
    above: str = 'raise',
) -> np.ndarray:
    """Number of pixels of every pair of classes; histograms of frames add up.

    Args:
        pred: predicted labels, integers of any shape in ``0..num_classes - 1`` where
            the target counts.
        target: annotated labels of the same shape.
        num_classes: classes, background among them.
        void: target label of pixels that do not count; None: every pixel counts.
        above: target labels from ``num_classes`` on that are not ``void`` are an error
            (``'raise'``), or do not count (``'ignore'``, as in CRW's evaluation).

    Returns:
        ``(num_classes, num_classes)`` int64, rows are annotated and columns predicted
        classes.

    Raises:
        ValueError: shapes differ, or labels are no classes; names them.
    """
    if above not in ABOVE:
        raise ValueError(f'above should be one of {list(ABOVE)}, not {above!r}.')
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.shape != target.shape:
        raise ValueError(
            f'The prediction is {pred.shape}, the annotation {target.shape}. Predict '
            'at the size of the annotation, or resize with nearest_to_size.'
        )
    valid = np.ones(target.shape, bool) if void is None else target != void
    if above == 'ignore':
        valid &= target < num_classes
    pred, target = pred[valid].astype(np.int64), target[valid].astype(np.int64)
    _check_labels('annotation', target, num_classes)
    _check_labels('prediction', pred, num_classes)
    pairs = np.bincount(target * num_classes + pred, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def histogram_areas(histogram: np.ndarray) -> Areas:
    """Areas of a ``(classes, classes)`` histogram [target, pred]."""
    histogram = np.asarray(histogram, np.int64)
    if histogram.ndim != 2 or histogram.shape[0] != histogram.shape[1]:
        raise ValueError(
            f'A histogram is (classes, classes), not {histogram.shape}. Make it with '
            'confusion_histogram.'
        )
    return Areas(histogram.diagonal(), histogram.sum(0), histogram.sum(1))


def class_areas(
    pred: np.ndarray,
    target: np.ndarray,
    num_classes: int,
    void: int | None = VOID,
    closed_last: bool = False,
) -> Areas:
    """Areas of two label maps, see :func:`confusion_histogram`.

    Args:
        pred: predicted labels.
        target: annotated labels.
        num_classes: classes.
        void: target label of pixels that do not count.
        closed_last: count label ``num_classes`` as the last class, in each of the
            three areas by itself: where one map has the last class and the other the
            label above it, there is no hit.

    Reference: ``closed_last`` is what the histogram of qianduoduolr/Spa-then-Temp
        (4c94362) does, whose last bin is closed.
    """
    if not closed_last:
        return histogram_areas(confusion_histogram(pred, target, num_classes, void))
    wide = histogram_areas(confusion_histogram(pred, target, num_classes + 1, void))
    folded = [np.append(area[:-2], area[-2:].sum()) for area in wide]
    return Areas(*folded)


def confusion_scores(areas: Areas) -> ConfusionScores:
    """IoU and accuracies of the areas of one frame, one video or a whole set."""
    hit, pred, target = (np.asarray(area, np.float64) for area in areas)
    union = pred + target - hit
    iou, accuracy = _ratio(hit, union), _ratio(hit, target)
    total = target.sum()
    annotated = target > 0
    weighted = float((target * iou)[annotated].sum())
    return ConfusionScores(
        iou=iou,
        accuracy=accuracy,
        mean_iou=_mean(iou),
        mean_accuracy=_mean(accuracy),
        overall_accuracy=float(_ratio(hit.sum(), total)),
        frequency_weighted_iou=float(_ratio(weighted, total)),
    )


def percent_summary(scores: ConfusionScores) -> tuple[float, float, float]:
    """Overall accuracy, mean accuracy and mean IoU in percent with two decimals.

    Reference: qianduoduolr/Spa-then-Temp (4c94362) prints them so, rounded.
    """
    values = scores.overall_accuracy, scores.mean_accuracy, scores.mean_iou
    first, second, third = (round(_PERCENT * value, _DECIMALS) for value in values)
    return first, second, third


def nearest_to_size(label_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize an index map to (H, W): the pixel at ``floor((i + 0.5) * in / out)``.

    In integers, so that the same pixel is taken on every machine.
    """
    if min(*label_map.shape, *size) < 1:
        raise ValueError(f'cannot resize {label_map.shape} to {size} (H, W).')
    rows, cols = (
        (2 * np.arange(wanted) + 1) * found // (2 * wanted)
        for found, wanted in zip(label_map.shape, size, strict=True)
    )
    return label_map[rows[:, None], cols[None, :]]


def _check_labels(what: str, labels: np.ndarray, num_classes: int) -> None:
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if len(wrong):
        raise ValueError(
            f'the {what} has labels {np.unique(wrong)[:_SHOWN].tolist()}; classes are '
            f'0 to {num_classes - 1}. Correct it, or give the right num_classes.'
        )


def _ratio(part: np.ndarray | float, whole: np.ndarray) -> np.ndarray:
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float('nan')
