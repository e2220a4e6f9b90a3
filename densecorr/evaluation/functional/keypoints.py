"""PCK: the share of joints that are found within a part of the person's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOST = ('left_out', 'wrong')
BOX_RATIO = 0.6  # of the diagonal of the box: both published evaluations


def visible_joints(pred: np.ndarray, zero_is_lost: bool = True) -> np.ndarray:
    """Which joints a prediction calls visible.

    Args:
        pred: ``(..., j, 2)`` (x, y) in pixels, NaN where a joint is lost.
        zero_is_lost: x has to be above 0 (Spa-then-Temp), not only 0 or more (CRW).

    Returns:
        ``(..., j)`` bool.
    """
    x = pred[..., 0]  # a comparison with NaN is False
    return x > 0 if zero_is_lost else x >= 0


def joint_boxes(
    target: np.ndarray, visible: np.ndarray, box_ratio: float = BOX_RATIO
) -> np.ndarray:
    """Size of the person: a part of the diagonal of the tight box of its joints.

    Args:
        target: ``(t, j, 2)`` true joints in pixels.
        visible: ``(t, j)`` bool, the joints that span the box.
        box_ratio: part of the diagonal.

    Returns:
        ``(t,)`` float64 pixels; NaN in frames without a visible joint.
    """
    shown = np.where(visible[..., None], target, np.nan)
    low = np.fmin.reduce(shown, axis=1)  # (t, 2)
    high = np.fmax.reduce(shown, axis=1)
    return box_ratio * np.hypot(*(high - low).T)


def joint_errors(
    pred: np.ndarray,
    target: np.ndarray,
    *,
    box_ratio: float = BOX_RATIO,
    zero_is_lost: bool = True,
    lost: str = 'left_out',
) -> np.ndarray:
    """Distance of every joint to its true place, in sizes of the person.

    ``error = |pred - target| / (box_ratio * diagonal)``, where the diagonal is that of
    the tight box around the *true* joints that the *prediction* calls visible.

    Args:
        pred: ``(t, j, 2)`` (x, y) in pixels, NaN where a joint is lost.
        target: ``(t, j, 2)`` true joints in pixels, those outside the image too.
        box_ratio: part of the diagonal, above 0.
        zero_is_lost: see :func:`visible_joints`.
        lost: lost joints are ``'left_out'`` (both published ways) or ``'wrong'``.

    Returns:
        ``(t, j)`` float64: NaN for a joint that does not count; infinity for one that
        is wrong at any threshold: a lost one, or any where the box is a point.

    Raises:
        ValueError: the shapes differ or are not ``(t, j, 2)``, a true joint is not
            finite, or an option is not allowed.

    Reference: ajabri/videowalk 047f3f4 and qianduoduolr/Spa-then-Temp 4c94362.
    """
    check_options(box_ratio, lost)
    pred, target = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    if pred.shape != target.shape or pred.ndim != 3 or pred.shape[2] != 2:
        raise ValueError(
            f'pred of shape {pred.shape} and target of shape {target.shape} should '
            'both be (t, j, 2): x and y of the same joints in the same frames.'
        )
    if not np.isfinite(target).all():
        frame, joint, _ = np.argwhere(~np.isfinite(target))[0]
        raise ValueError(
            f'true joint {joint} of frame {frame} is {target[frame, joint]}. True '
            'joints are finite, also outside the image.'
        )
    visible = visible_joints(pred, zero_is_lost)
    boxes = joint_boxes(target, visible, box_ratio)
    distances = np.hypot(*np.moveaxis(pred - target, -1, 0))
    far = np.full(distances.shape, np.inf)
    errors = np.divide(distances, boxes[:, None], out=far, where=boxes[:, None] > 0)
    return np.where(visible, errors, np.nan if lost == 'left_out' else np.inf)


def check_options(box_ratio: float, lost: str) -> None:
    """Refuse options outside the allowed ones.

    Raises:
        ValueError: names the option.
    """
    if lost not in LOST:
        raise ValueError(f'lost is {lost!r}; it should be one of {list(LOST)}.')
    if not box_ratio > 0:
        raise ValueError(f'box_ratio is {box_ratio}; it should be above 0.')


@dataclass(frozen=True)
class JointCounts:
    """How many joints counted, and how many of them were found.

    Attributes:
        correct: ``(thresholds, j)`` int64.
        counted: ``(j,)`` int64.
    """

    correct: np.ndarray
    counted: np.ndarray

    def __add__(self, other: JointCounts) -> JointCounts:
        return JointCounts(self.correct + other.correct, self.counted + other.counted)

    def per_joint(self) -> np.ndarray:
        """``(thresholds, j)`` share that was found; NaN for a joint without counts."""
        counted = np.where(self.counted > 0, self.counted, np.nan)
        return self.correct / counted

    def pck(self) -> np.ndarray:
        """``(thresholds,)`` plain mean over the joints that have counts.

        0 where none has: not one joint was seen anywhere.
        """
        shares = self.per_joint()[:, self.counted > 0]
        if not shares.shape[1]:
            return np.zeros(len(shares))
        return shares.mean(axis=1)


def count_joints(errors: np.ndarray, thresholds: Sequence[float]) -> JointCounts:
    """Count ``(t, j)`` errors of :func:`joint_errors` that are at most a threshold.

    Counts of several videos are added; PCK of their sum weighs every frame alike.
    """
    limits = np.asarray(thresholds)[:, None, None]
    correct = (errors <= limits).sum(axis=1)  # NaN is not
    return JointCounts(correct, (~np.isnan(errors)).sum(axis=0))
