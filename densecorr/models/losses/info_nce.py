"""InfoNCE: find the key of one's own image among those of others."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from densecorr.ops.cross_entropy import hard_cross_entropy
from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS


class InfoNCE(NamedTuple):
    """Result of :func:`info_nce`, for every query.

    Attributes:
        losses: ``(n,)`` float32.
        places: ``(n,)`` int64, how many negatives are more similar than the own key:
            0 where it is found.
    """

    losses: Tensor
    places: Tensor


@full_precision
def info_nce(
    queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float = 0.2
) -> InfoNCE:
    r"""Cross entropy of finding the own key, in float32.

    .. math:: L_i = -\log \frac{\exp(q_i k_i / \tau)}
        {\exp(q_i k_i / \tau) + \sum_j \exp(q_i n_j / \tau)}

    Args:
        queries: ``(n, c)`` of length 1.
        keys: ``(n, c)``, the key of each query. Gradients reach them: detach what shall
            be a constant.
        negatives: ``(m, c)``, keys of other images, the same for all queries.
        temperature: divides the similarities.

    Raises:
        ValueError: shapes do not fit, or the temperature is not positive.

    Reference: van den Oord et al., arXiv:1807.03748; He et al., CVPR 2020,
        arXiv:1911.05722, Eq. 1. Official: facebookresearch/moco ``moco/builder.py``.
    """
    if queries.shape != keys.shape or queries.shape[1:] != negatives.shape[1:]:
        raise ValueError(
            f'queries are {tuple(queries.shape)}, keys {tuple(keys.shape)}, negatives '
            f'{tuple(negatives.shape)}; give (n, c), (n, c) and (m, c).'
        )
    own = (queries * keys).sum(1, keepdim=True)  # (n, 1)
    others = queries @ negatives.T  # (n, m)
    labels = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
    losses = hard_cross_entropy(torch.cat([own, others], 1), labels, temperature)
    return InfoNCE(losses, (others > own).sum(1))


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    """:func:`info_nce` with its temperature.

    Args:
        temperature: divides the similarities, above 0.
    """

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(
                f'temperature of InfoNCELoss is {temperature}; give a number above 0, '
                'such as 0.2.'
            )
        self.temperature = temperature

    def forward(self, queries: Tensor, keys: Tensor, negatives: Tensor) -> InfoNCE:
        """``(n, c)``, ``(n, c)`` and ``(m, c)`` of length 1, see :func:`info_nce`."""
        return info_nce(queries, keys, negatives, self.temperature)
