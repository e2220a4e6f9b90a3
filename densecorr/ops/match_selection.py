"""Where a local match is trusted: scores of peakedness, and thresholds on them.

Reference:
    Li and Liu, CVPR 2023 (Spa-then-Temp), Sec. 3.3. Official:
    qianduoduolr/Spa-then-Temp (4c94362), entropy selection of the framework.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import full_precision

_EPS = 1e-12  # added to probabilities before the logarithm, as in the official code


@full_precision
def uniform_cross_entropy(volume: Tensor) -> Tensor:
    """``-sum_k log(softmax_k(volume) + 1e-12)``: large where the match is certain.

    Args:
        volume: ``(b, h, w, d, d)`` products with the positions around, see
            :func:`densecorr.ops.correlation.displacement_volume`.

    Returns:
        ``(b, h, w)``, the cross entropy of the uniform distribution (times ``d * d``).

    Note:
        The official code calls this the entropy, and distils where it is large. The
        entropy is :func:`match_entropy`; the two order positions the other way round.
        Raw products saturate the logarithm: peaked positions differ by rounding alone.
    """
    return -(volume.flatten(3).softmax(-1) + _EPS).log().sum(-1)


@full_precision
def match_entropy(volume: Tensor) -> Tensor:
    """``-sum_k p_k log p_k`` of ``p = softmax(volume)``: large where it is uncertain.

    Arguments and result as in :func:`uniform_cross_entropy`.
    """
    logs = volume.flatten(3).log_softmax(-1)
    return -(logs.exp() * logs).sum(-1)


def above_sorted_row(scores: Tensor, share: float) -> Tensor:
    """Select scores above those of one row of the scores sorted within rows.

    Every row is sorted, largest first. Row ``int(h * share) - 1`` of the result has a
    threshold for each column.

    Args:
        scores: ``(b, h, w)``.
        share: of the rows, at least ``1 / h`` and at most 1. It is not the share of
            positions that is selected.

    Returns:
        ``(b, h, w)`` of 0 and 1, without gradient.

    Raises:
        ValueError: no row belongs to the share.
    """
    row = int(scores.shape[1] * share) - 1
    if not 0 <= row < scores.shape[1]:
        raise ValueError(
            f'share is {share}: of {scores.shape[1]} rows of scores it takes '
            f'{row + 1}. Give a number from {1 / scores.shape[1]:.3g} to 1.'
        )
    scores = scores.detach()
    ordered = scores.sort(dim=-1, descending=True).values
    return (scores > ordered[:, row, None]).to(scores.dtype)


def above_quantile(scores: Tensor, share: float) -> Tensor:
    """Select the ``round(share * h * w)`` largest scores of each sample.

    Of equal scores at the threshold any may be selected.

    Args:
        scores: ``(b, h, w)``.
        share: in (0, 1].

    Returns:
        ``(b, h, w)`` of 0 and 1, without gradient.

    Raises:
        ValueError: the share selects nothing, or more than there is.
    """
    flat = scores.detach().flatten(1)
    count = round(flat.shape[1] * share)
    if not 0 < count <= flat.shape[1]:
        raise ValueError(
            f'share is {share}: of {flat.shape[1]} positions it takes {count}. Give a '
            f'number from {1 / flat.shape[1]:.3g} to 1.'
        )
    best = flat.topk(count, dim=1).indices
    return torch.zeros_like(flat).scatter_(1, best, 1.0).view_as(scores)


def stretched(scores: Tensor, border: int) -> Tensor:
    """Scores as weights in [0, 1]: min-max by sample, after the border became 0.

    Args:
        scores: ``(b, h, w)``; gradients reach them.
        border: positions at each side of the map that get 0.

    Raises:
        ValueError: nothing is left inside the border.
    """
    h, w = scores.shape[1:]
    if 2 * border >= min(h, w):
        raise ValueError(
            f'a border of {border} positions leaves nothing of scores of {h} x {w}. '
            'Give larger images, or select by a threshold.'
        )
    inside = torch.zeros_like(scores)
    middle = (..., slice(border, h - border), slice(border, w - border))
    inside[middle] = scores[middle]
    low, high = inside.amin((1, 2), keepdim=True), inside.amax((1, 2), keepdim=True)
    return (inside - low) / (high - low)
