"""Cross entropy of scores with soft or hard targets, in float32."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from .precision import full_precision


@full_precision
def soft_cross_entropy(
    logits: Tensor, targets: Tensor, temperature: float = 1.0
) -> Tensor:
    """``-sum_p targets_p log softmax(logits / temperature)_p``.

    Args:
        logits: ``(..., p)`` scores, for example cosines with prototypes.
        targets: ``(..., p)`` probabilities. Gradients reach them: detach what shall
            be a constant.
        temperature: divides the scores.

    Returns:
        ``(...)`` float32 (float64 for float64 logits).

    Raises:
        ValueError: shapes differ, or the temperature is not positive.
    """
    if targets.shape != logits.shape:
        raise ValueError(
            f'targets are {tuple(targets.shape)}, logits {tuple(logits.shape)}. Give '
            'one probability for every logit.'
        )
    return -(targets * _log_softmax(logits, temperature)).sum(-1)


@full_precision
def hard_cross_entropy(
    logits: Tensor, labels: Tensor, temperature: float = 1.0
) -> Tensor:
    """``-log softmax(logits / temperature)`` at the label.

    Args:
        logits: ``(..., p)`` scores.
        labels: ``(...)`` int64 in [0, p).
        temperature: divides the scores.

    Returns:
        ``(...)`` float32 (float64 for float64 logits).

    Raises:
        ValueError: shapes do not fit, or the temperature is not positive.
    """
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f'labels are {tuple(labels.shape)}, logits {tuple(logits.shape)}. Give one '
            'label for every row of logits.'
        )
    scores = _log_softmax(logits, temperature)
    return -scores.gather(-1, labels[..., None])[..., 0]


def _log_softmax(logits: Tensor, temperature: float) -> Tensor:
    if not temperature > 0:
        raise ValueError(f'temperature is {temperature}; it should be > 0.')
    return F.log_softmax(logits / temperature, dim=-1)
