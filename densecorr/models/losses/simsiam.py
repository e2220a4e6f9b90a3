"""The loss of SimSiam and VFS: predictions point where other frames' projections do."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS


@full_precision
def simsiam(
    predictions1: Tensor,
    projections1: Tensor,
    predictions2: Tensor,
    projections2: Tensor,
) -> Tensor:
    r"""Symmetric distance of two views, ``(..., c)`` each to ``(...)`` in [0, 4].

    .. math:: l(p, z) = 2 - 2 \cos(p, z), \quad
        L = \tfrac12 l(p_1, z_2) + \tfrac12 l(p_2, z_1)

    Projections are constants: no gradient reaches them.

    Args:
        predictions1: ``p`` of the first view.
        projections1: ``z`` of the first view.
        predictions2: ``p`` of the second view.
        projections2: ``z`` of the second view.

    Raises:
        ValueError: shapes differ.

    Reference: Chen and He, CVPR 2021, arXiv:2011.10566, Eq. 1 to 4. Official:
        xvjiarui/VFS ``mmaction/models/losses/sim_loss.py`` (8e055cc).
    """
    shapes = {
        tuple(feats.shape)
        for feats in (predictions1, projections1, predictions2, projections2)
    }
    if len(shapes) > 1:
        raise ValueError(
            f'predictions and projections of two views have shapes {sorted(shapes)}; '
            'give both views the same frames and channels.'
        )
    one = _distance(predictions1, projections2.detach())
    two = _distance(predictions2, projections1.detach())
    return 0.5 * one + 0.5 * two


def _distance(predictions: Tensor, projections: Tensor) -> Tensor:
    unit_predictions = F.normalize(predictions, dim=-1)
    return 2 - 2 * (unit_predictions * F.normalize(projections, dim=-1)).sum(-1)


@MODELS.register_module()
class SimSiamLoss(nn.Module):
    """:func:`simsiam` of two clips.

    Args:
        intra_video: every frame of the first clip meets every frame of the second: the
            second is rolled along time by 0 to t - 1 frames. False: frame i meets
            frame i alone.
    """

    def __init__(self, intra_video: bool = False) -> None:
        super().__init__()
        self.intra_video = intra_video

    def forward(
        self,
        predictions1: Tensor,
        projections1: Tensor,
        predictions2: Tensor,
        projections2: Tensor,
    ) -> Tensor:
        """``(b, t, c)`` each to the loss of each roll and frame, ``(rolls, b, t)``.

        Its mean is the loss: VFS adds up the means of the rolls with weights 1 / t.

        Raises:
            ValueError: shapes differ, or are no clips.
        """
        if predictions1.ndim != 3:
            raise ValueError(
                f'predictions of SimSiamLoss are {tuple(predictions1.shape)}; give '
                'those of clips, (b, t, c).'
            )
        rolls = range(predictions1.shape[1] if self.intra_video else 1)
        losses = [
            simsiam(
                predictions1,
                projections1,
                predictions2.roll(roll, 1),
                projections2.roll(roll, 1),
            )
            for roll in rolls
        ]
        return torch.stack(losses)
