"""Linear heads on pooled features."""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS

_unit = full_precision(F.normalize)


@MODELS.register_module()
class ProjectionHead(nn.Sequential):
    """Linear layers with ReLU between them, then length 1.

    The layers are numbered as in a plain ``nn.Sequential``, so CRW's
    ``selfsim_fc.<i>.*`` are this module's ``<i>.*``.

    Args:
        in_channels: of the features.
        out_channels: of the result.
        depth: hidden layers of ``in_channels``; 0 is one linear layer, -1 is none at
            all: the features only get length 1.
        normalize: the result has length 1.

    Shape: ``(..., in_channels)`` to ``(..., out_channels)``, or to ``(...,
    in_channels)`` for depth -1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 128,
        depth: int = 0,
        normalize: bool = True,
    ) -> None:
        if depth < -1:
            raise ValueError(
                f'depth of ProjectionHead is {depth}; give -1 for no layer, 0 for one '
                'linear layer, or the number of hidden layers.'
            )
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [nn.Linear(in_channels, in_channels), nn.ReLU()]
        if depth >= 0:
            layers.append(nn.Linear(in_channels, out_channels))
        names = [str(i) for i in range(len(layers))]
        super().__init__(OrderedDict(zip(names, layers, strict=True)))
        self.out_channels = in_channels if depth < 0 else out_channels
        self.normalize = normalize

    def forward(self, feats: Tensor) -> Tensor:
        """Project ``(..., c)`` features."""
        projected = super().forward(feats)
        return _unit(projected, dim=-1) if self.normalize else projected
