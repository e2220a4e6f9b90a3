"""Colours as features: what a network has to beat."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.registry import MODELS

# Largest squared distance from mid grey of a colour in [0, 1]^3.
_FARTHEST = 0.75


@MODELS.register_module()
class RawColors(nn.Module):
    """The mean colour of each cell, lifted onto a sphere.

    A fourth channel gives all features one length. So the cosine of two of them falls
    with their squared distance on that sphere, ``1 - |a - b|^2 / 1.5``, and protocols
    that normalise features compare colours by distance, not by hue alone.

    Args:
        stride: side of a cell in pixels.
        any_size: cells at the right and bottom border may be smaller, as with a
            convolutional network; otherwise sides should be multiples of ``stride``,
            as with a ViT.

    Shape: ``(b, 3, H, W)`` RGB in [0, 1] to one ``(b, 4, ceil(H / stride),
        ceil(W / stride))`` map.

    Raises:
        ValueError: a side is not a multiple of the stride, where that is asked for.
    """

    def __init__(self, stride: int, any_size: bool = True) -> None:
        super().__init__()
        if stride < 1:
            raise ValueError(f'stride of RawColors is {stride}; give at least 1.')
        self.stride, self.any_size = stride, any_size
        self.channels = [4]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Features of images, see the class."""
        height, width = images.shape[-2:]
        if not self.any_size and (height % self.stride or width % self.stride):
            raise ValueError(
                f'images are {height}x{width}, not multiples of stride {self.stride}. '
                "Give the protocol's size a rounding."
            )
        colors = cell_means(images - 0.5, self.stride)  # (b, 3, h, w)
        lift = (_FARTHEST - colors.square().sum(1, keepdim=True)).clamp_min(0).sqrt()
        return (torch.cat([colors, lift], dim=1),)


def cell_means(maps: Tensor, stride: int) -> Tensor:
    """Mean of each ``stride`` x ``stride`` cell; border cells of what they have.

    Args:
        maps: ``(b, c, H, W)``.
        stride: side of a cell.

    Returns:
        ``(b, c, ceil(H / stride), ceil(W / stride))``.
    """
    if stride == 1:
        return maps
    return F.avg_pool2d(maps, stride, ceil_mode=True, count_include_pad=False)
