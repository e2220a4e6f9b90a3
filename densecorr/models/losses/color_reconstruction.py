"""The loss of colours that matches carry from one frame to another."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS


@full_precision
def color_reconstruction(
    transported: Tensor, target: Tensor, factor: float = 20.0
) -> Tensor:
    """``mean smooth_l1(factor * y, factor * target)``, y at the size of the target.

    Args:
        transported: ``(b, k, h, w)`` colours on the feature grid.
        target: ``(b, k, H, W)`` colours of the image.
        factor: of both; the loss is quadratic up to a difference of ``1 / factor``.

    Raises:
        ValueError: the numbers of samples or of channels differ.

    Reference: Li and Liu, CVPR 2023 (Spa-then-Temp), Sec. 3.2. Official:
        qianduoduolr/Spa-then-Temp (4c94362).
    """
    if transported.ndim != 4 or transported.shape[:2] != target.shape[:2]:
        raise ValueError(
            f'transported colours are {tuple(transported.shape)} and those of the '
            f'target {tuple(target.shape)}; give (b, k, h, w) and (b, k, H, W).'
        )
    full = F.interpolate(
        transported, target.shape[2:], mode='bilinear', align_corners=False
    )
    return F.smooth_l1_loss(factor * full, factor * target)


@MODELS.register_module()
class ColorReconstructionLoss(nn.Module):
    """:func:`color_reconstruction` with its settings.

    Args:
        factor: see there.
        weight: of the loss.
    """

    def __init__(self, factor: float = 20.0, weight: float = 1.0) -> None:
        super().__init__()
        if factor <= 0:
            raise ValueError(
                f'factor of ColorReconstructionLoss is {factor}; give a number above 0.'
            )
        self.factor, self.weight = factor, weight

    def forward(self, transported: Tensor, target: Tensor) -> Tensor:
        """Scalar, times the weight."""
        return self.weight * color_reconstruction(transported, target, self.factor)
