"""Linear layers with a smooth nonlinearity between them."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence

from torch import nn

from densecorr.registry import MODELS


@MODELS.register_module()
class MLPHead(nn.Sequential):
    """Linear layers with GELU between them, and none at the end.

    The layers are numbered as in a plain ``nn.Sequential``: TimeT's
    ``feature_extractor.head.<i>.*`` are this module's ``<i>.*``.

    Args:
        in_channels: of the features.
        channels: of the result of each layer, the last one's is the head's.

    Raises:
        ValueError: there is no layer, or one without channels.

    Shape: ``(..., in_channels)`` to ``(..., channels[-1])``.
    """

    def __init__(
        self, in_channels: int, channels: Sequence[int] = (1024, 1024, 512, 256)
    ) -> None:
        sizes = [in_channels, *channels]
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f'channels of MLPHead are {tuple(channels)} after {in_channels}; give '
                'one positive number for each layer.'
            )
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            layers += [nn.Linear(before, after), nn.GELU()]
        names = [str(i) for i in range(len(layers) - 1)]
        super().__init__(OrderedDict(zip(names, layers, strict=False)))
        self.out_channels = sizes[-1]
