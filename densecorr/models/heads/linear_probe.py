"""One 1x1 convolution that reads classes off frozen features."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.registry import MODELS

IGNORED = 255


@MODELS.register_module()
class LinearProbeHead(nn.Module):
    """Logits of every pixel: features resized bilinearly, then a 1x1 convolution.

    Without normalisation the convolution runs first and its logits are resized: both
    are linear and bilinear weights sum to 1, so the result is the same, for a fraction
    of the work.

    Args:
        in_channels: of the features.
        num_classes: of the logits.
        batch_norm: normalise the resized features first, by statistics of the batch
            in training.
        ignore_index: label of pixels without loss.

    Shape: ``(b, in_channels, h, w)`` to ``(b, num_classes, H, W)``.

    Reference:
        Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796; official:
        SMSD75/Timetuning (94550b5), whose ``finetune_head`` is this module's ``conv``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        batch_norm: bool = False,
        ignore_index: int = IGNORED,
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels) if batch_norm else None
        self.conv = nn.Conv2d(in_channels, num_classes, 1)
        self.ignore_index = ignore_index

    def forward(self, maps: Tensor, size: tuple[int, int]) -> Tensor:
        """Logits at ``size`` (H, W)."""
        if self.norm is None:
            return _resized(self.conv(maps), size)
        return self.conv(self.norm(_resized(maps, size)))

    def loss(self, maps: Tensor, target: Tensor) -> Tensor:
        """Cross entropy, the mean over the pixels that have a class.

        Args:
            maps: ``(b, c, h, w)`` features.
            target: ``(b, H, W)`` classes.

        Raises:
            ValueError: a label is no class and not ignored.
        """
        return self.loss_of(self(maps, (target.shape[1], target.shape[2])), target)

    def loss_of(self, logits: Tensor, target: Tensor) -> Tensor:
        """:meth:`loss` of logits that are known; 0 where no pixel has a class."""
        counted = target != self.ignore_index
        wrong = target[counted & ((target < 0) | (target >= logits.shape[1]))]
        if len(wrong):
            raise ValueError(
                f'labels are {wrong.unique().tolist()[:10]}; the probe has classes 0 '
                f'to {logits.shape[1] - 1}, {self.ignore_index} is ignored. Correct '
                'the labels, or give the right num_classes.'
            )
        losses = F.cross_entropy(
            logits, target.long(), ignore_index=self.ignore_index, reduction='sum'
        )
        return losses / counted.sum().clamp_min(1)


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size, mode='bilinear', align_corners=False)
