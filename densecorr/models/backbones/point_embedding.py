"""Perfect features: what a network would give that knows every material point."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.registry import MODELS

from .raw_colors import cell_means

_CODES = 16  # numbers below it are told apart by one channel each
_SHORTEST = 4.0  # wavelength over stride: shorter waves average out inside a cell
_WAVES = 8  # wavelengths, each twice the one before
_UNITS = 256.0  # of a texture pixel, see VideoSample.read_points


@MODELS.register_module()
class PointEmbedding(nn.Module):
    """Embeds texture coordinate and object code of the points that a frame shows.

    A point ``(object, row, column)`` becomes an object code of length 1 beside sines
    and cosines of its row and its column at wavelengths ``4, 8, ... 512`` strides,
    together of length 1. So the cosine of two points is 1 for equal points, falls
    with their distance on the texture, and drops by about a half between objects.

    Args:
        stride: side of a cell in pixels; a cell has the mean of its pixels.
        any_size: as :class:`densecorr.models.backbones.RawColors`, always true here.

    Shape: ``(b, 3, H, W)`` object number, row, column in 1/256 texture pixels to one
        ``(b, 64, ceil(H / stride), ceil(W / stride))`` map.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        if stride < 1:
            raise ValueError(f'stride of PointEmbedding is {stride}; give at least 1.')
        self.stride, self.any_size = stride, True
        self.channels = [2 * _CODES + 4 * _WAVES]

    def forward(self, points: Tensor) -> tuple[Tensor, ...]:
        """Features of points, see the class."""
        codes = object_codes(points[:, 0].long())  # (b, codes, H, W)
        angles = points[:, 1:].double() / _UNITS * (2 * math.pi / self.stride)
        waves = [
            part
            for wave in range(_WAVES)
            for scaled in (angles / (_SHORTEST * 2**wave),)
            for part in (scaled.sin(), scaled.cos())
        ]
        places = torch.cat(waves, dim=1).float() / math.sqrt(2 * _WAVES)
        return (cell_means(torch.cat([codes, places], dim=1), self.stride),)


def object_codes(numbers: Tensor) -> Tensor:
    """A vector of length 1 per object number, ``(b, H, W)`` to ``(b, c, H, W)``.

    Numbers below 16 get orthogonal vectors; larger ones share them and get a second
    part by their multiple of 16.
    """
    low = F.one_hot(numbers % _CODES, _CODES)
    high = F.one_hot(numbers // _CODES % _CODES, _CODES)
    high = high * (numbers >= _CODES)[..., None]
    codes = torch.cat([low, high], dim=-1).float()
    return F.normalize(codes, dim=-1).permute(0, 3, 1, 2)
