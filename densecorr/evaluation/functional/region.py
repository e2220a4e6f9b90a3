"""Region similarity J: the Jaccard index of DAVIS."""

from __future__ import annotations

import numpy as np


def region_similarity(
    pred: np.ndarray, target: np.ndarray, void: np.ndarray | None = None
) -> np.ndarray:
    """Jaccard index of boolean regions, ``(..., H, W)`` to ``(...)``, in [0, 1].

    ``J = |pred and target| / |pred or target|`` over the pixels that are not void, and
    1 where the union is empty.

    Args:
        pred: predicted region; everything but 0 belongs to it.
        target: annotated region of the same shape.
        void: pixels to leave out, of the same shape.

    Raises:
        ValueError: the shapes differ.

    Reference: Perazzi et al., CVPR 2016, Sec. 5.1. Official:
        davisvideochallenge/davis2017-evaluation ``metrics.py`` ``db_eval_iou``.
    """
    pred, target = prepare_regions(pred, target, void)
    inter = np.count_nonzero(pred & target, axis=(-2, -1))
    union = np.asarray(np.count_nonzero(pred | target, axis=(-2, -1)))
    return np.divide(inter, union, out=np.ones(union.shape), where=union > 0)


def prepare_regions(
    pred: np.ndarray, target: np.ndarray, void: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Check shapes, make bool and take void pixels out of both regions."""
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.shape != target.shape:
        raise ValueError(
            f'pred of shape {pred.shape} and target of shape {target.shape} differ. '
            'Predict at the size of the annotation.'
        )
    pred, target = pred.astype(bool), target.astype(bool)
    if void is None:
        return pred, target
    void = np.asarray(void)
    if void.shape != target.shape:
        raise ValueError(
            f'void of shape {void.shape} differs from the regions of {target.shape}.'
        )
    valid = ~void.astype(bool)
    return pred & valid, target & valid
