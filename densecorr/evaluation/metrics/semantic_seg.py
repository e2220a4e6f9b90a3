"""Scores of label maps that predict classes, as MMSegmentation computes them."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

from densecorr.compat import import_mmseg

_SHOWN = 10  # labels in a message


class SemanticScores(NamedTuple):
    """Fractions; NaN for a class that has no pixel to divide by.

    Attributes:
        miou: mean IoU over the classes that are annotated or predicted somewhere.
        annotated_miou: over those that are annotated, as TimeT counts.
        macc: mean accuracy of the annotated classes.
        aacc: share of the pixels that are right.
        iou: ``(classes,)``.
        acc: ``(classes,)``, the share of a class that is found.
    """

    miou: float
    annotated_miou: float
    macc: float
    aacc: float
    iou: np.ndarray
    acc: np.ndarray


def class_areas(
    pred: np.ndarray, labels: np.ndarray, num_classes: int, void: int | None = 255
) -> np.ndarray:
    """Pixels of every class, ``(4, classes)`` int64, by MMSegmentation's ``IoUMetric``.

    The rows are those of its ``intersect_and_union``: in both maps, in either, in the
    prediction, in the labels. Rows of several images add up.

    Args:
        pred: ``(H, W)`` classes.
        labels: ``(H, W)`` classes.
        num_classes: classes are 0 to this less 1.
        void: label of pixels that do not count.

    Raises:
        ValueError: labels that are no classes, see :func:`check_classes`.
    """
    check_classes(labels, num_classes, void)
    found, wanted = (
        torch.from_numpy(np.ascontiguousarray(one, np.int64)) for one in (pred, labels)
    )
    ignored = -1 if void is None else void
    areas = _iou_metric().intersect_and_union(found, wanted, num_classes, ignored)
    return torch.stack(areas).to(torch.int64).numpy()


def area_scores(areas: np.ndarray) -> SemanticScores:
    """Scores of :func:`class_areas`, by ``total_area_to_metrics`` of ``IoUMetric``.

    Raises:
        ValueError: no pixel counts.
    """
    counts = torch.from_numpy(np.asarray(areas, np.float64))
    if not counts[3].sum():
        raise ValueError(
            'no pixel of the test images has a class: all are void. Give images with '
            'labels.'
        )
    with np.errstate(invalid='ignore'):
        found = _iou_metric().total_area_to_metrics(*counts, metrics=['mIoU'])
    iou, acc = found['IoU'], found['Acc']
    annotated = counts[3].numpy() > 0
    return SemanticScores(
        float(np.nanmean(iou)),
        float(iou[annotated].mean()),
        float(np.nanmean(acc)),
        float(found['aAcc']),
        iou,
        acc,
    )


def check_classes(labels: np.ndarray, num_classes: int, void: int | None) -> None:
    """Refuse labels that are no classes.

    Raises:
        ValueError: names them.
    """
    values = np.unique(labels)
    wrong = values[(values < 0) | (values >= num_classes)]
    wrong = wrong if void is None else wrong[wrong != void]
    if len(wrong):
        raise ValueError(
            f'labels are {wrong[:_SHOWN].tolist()}; the dataset has classes 0 to '
            f'{num_classes - 1}, {void} does not count. Correct the labels, or give '
            'the right num_classes.'
        )


@cache
def _iou_metric() -> Any:
    import_mmseg()
    return import_module('mmseg.evaluation').IoUMetric
