"""The loss of masked autoencoders: removed patches, found again."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS

_VAR_EPS = 1e-6  # added to the variance of a patch, as in facebookresearch/mae


class PatchStatistics(NamedTuple):
    """Mean and scale of every patch, ``(b, n, 1)`` each."""

    mean: Tensor
    scale: Tensor


@full_precision
def patch_statistics(patches: Tensor) -> PatchStatistics:
    """Mean, and ``sqrt(var + 1e-6)`` with the unbiased variance, of ``(b, n, d)``."""
    var, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return PatchStatistics(mean, (var + _VAR_EPS).sqrt())


@full_precision
def patch_reconstruction(
    pred: Tensor, target: Tensor, masked: Tensor, normalize: bool = True
) -> Tensor:
    """Mean squared error over the removed patches of the whole batch.

    Args:
        pred: ``(b, n, d)``.
        target: ``(b, n, d)`` patches.
        masked: ``(b, n)`` bool, True where a patch was removed.
        normalize: the target is each patch less its mean, over its scale, see
            :func:`patch_statistics`.

    Returns:
        a scalar; 0 where nothing is masked.

    Raises:
        ValueError: the shapes differ.

    Reference: He et al., CVPR 2022, arXiv:2111.06377, Sec. 3. Official:
        minhoooo1/CatMAE ``models_catmae.py`` ``forward_loss`` (0fb1f60).
    """
    if pred.shape != target.shape or masked.shape != pred.shape[:2]:
        raise ValueError(
            f'patches are {tuple(pred.shape)}, their targets {tuple(target.shape)} and '
            f'what is masked {tuple(masked.shape)}; give (b, n, d) twice and (b, n).'
        )
    if normalize:
        mean, scale = patch_statistics(target)
        target = (target - mean) / scale
    errors = (pred - target).square().mean(dim=-1)  # (b, n)
    return (errors * masked).sum() / masked.sum().clamp_min(1)


@MODELS.register_module()
class PatchReconstructionLoss(nn.Module):
    """:func:`patch_reconstruction` with its settings.

    Args:
        normalize: see there.
    """

    def __init__(self, normalize: bool = True) -> None:
        super().__init__()
        self.normalize = normalize

    def forward(self, pred: Tensor, target: Tensor, masked: Tensor) -> Tensor:
        """A scalar."""
        return patch_reconstruction(pred, target, masked, self.normalize)

    def baseline(self, target: Tensor, masked: Tensor) -> Tensor:
        """The loss of predicting the mean of every patch, without gradient."""
        target = target.detach()
        mean = 0 if self.normalize else patch_statistics(target).mean
        pred = torch.zeros_like(target) + mean
        return patch_reconstruction(pred, target, masked, self.normalize)
