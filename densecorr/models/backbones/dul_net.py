"""The network of DUL: a stride 8 ResNet with an embedding head."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.models.backbones.resnet import ResNet
from densecorr.registry import MODELS

_STAGES = {'res3': 2, 'res4': 3}
OUTPUTS = ('res3', 'res4', 'key')


class EmbeddingHead(nn.Module):
    """1x1 convolution, BN, ReLU, 1x1 convolution: ``(b, c, h, w)`` to ``dim``."""

    def __init__(self, in_channels: int, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, in_channels, 1)
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv2 = nn.Conv2d(in_channels, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, dim, h, w)``, not normalised."""
        return self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True))


@MODELS.register_module()
class DULNet(nn.Module):
    """ResNet with stride 1 in the last two stages, and a head on ``layer4``.

    Every map has unit length over the channels: ``res3`` (``layer3``), ``res4``
    (``layer4``) and ``key`` (the head on ``layer4``). Parameters are named as in the
    official checkpoints without ``fast_net.``: ``backbone.*`` and ``emb_q.*``.

    Args:
        depth: depth of the :class:`ResNet`.
        strides: its stage strides.
        outputs: maps that ``forward`` returns, of ``'res3'``, ``'res4'``, ``'key'``.
        dim: channels of ``key``.

    Reference: Araslanov et al., NeurIPS 2021, arXiv:2111.06265. Official:
        visinf/dense-ulearn-vos ``models/net.py``, commit 88e5e35.
    """

    any_size = True

    def __init__(
        self,
        depth: int = 18,
        strides: Sequence[int] = (1, 2, 1, 1),
        outputs: Sequence[str] = ('res4',),
        dim: int = 128,
    ) -> None:
        super().__init__()
        if not outputs or any(name not in OUTPUTS for name in outputs):
            raise ValueError(
                f'outputs of DULNet is {tuple(outputs)}, it needs one or more of '
                f'{OUTPUTS}.'
            )
        stages = tuple(_STAGES.values())
        self.outputs = tuple(outputs)
        self.backbone = ResNet(depth, strides=strides, out_indices=stages)
        self.emb_q = EmbeddingHead(self.backbone.channels[-1], dim)
        channels = dict(zip(OUTPUTS, [*self.backbone.channels, dim], strict=True))
        out_strides = [*self.backbone.out_strides, self.backbone.stride]
        by_name = dict(zip(OUTPUTS, out_strides, strict=True))
        self.channels: list[int] = [channels[name] for name in self.outputs]
        self.out_strides = [by_name[name] for name in self.outputs]
        self.stride: int = self.out_strides[-1]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``(b, 3, H, W)`` to one unit map ``(b, c, h, w)`` per output."""
        maps = self._maps(images, self.outputs)
        return tuple(F.normalize(maps[name], dim=1) for name in self.outputs)

    def raw_maps(self, images: Tensor) -> dict[str, Tensor]:
        """All three maps before normalisation, by name."""
        return self._maps(images, OUTPUTS)

    def _maps(self, images: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        """The wanted maps and those on their way; layers after them do not run."""
        names = ['res3'] if set(wanted) == {'res3'} else ['res3', 'res4']
        stages = [_STAGES[name] for name in names]
        stage_maps = self.backbone.stage_maps(images, stages)
        maps = dict(zip(names, stage_maps, strict=True))
        if 'key' in wanted:
            maps['key'] = self.emb_q(maps['res4'])
        return maps
