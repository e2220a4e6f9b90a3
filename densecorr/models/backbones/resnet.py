"""ResNet with free stage strides, dilations and stem pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.registry import MODELS

_WIDTHS = (64, 128, 256, 512)
_STEM_STRIDE = 2

POOLS = ('max', 'mean', 'none')
_ZERO_BATCHES = ((1, 256), (10, 320))  # images, side
PaddingMode = Literal['zeros', 'reflect']
PADDING_MODES = ('zeros', 'reflect')


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (ResNet-18 and 34)."""

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        dilation: int = 1,
        padding_mode: PaddingMode = 'zeros',
    ) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, width, stride, dilation, padding_mode)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, 1, 1, padding_mode)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, width, h / stride, w / stride)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)) + shortcut, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut (ResNet-50), stride in the 3x3."""

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        dilation: int = 1,
        padding_mode: PaddingMode = 'zeros',
    ) -> None:
        super().__init__()
        channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, dilation, padding_mode)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(b, c, h, w)`` to ``(b, 4 * width, h / stride, w / stride)``."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + shortcut, inplace=True)


_ARCHITECTURES: dict[int, tuple[type[BasicBlock | Bottleneck], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


@MODELS.register_module()
class ResNet(nn.Module):
    """A ResNet without classifier that returns the maps of chosen stages.

    Parameter names and shapes are torchvision's and do not depend on any option but
    ``depth``, so one checkpoint serves every variant.

    Args:
        depth: 18, 34 or 50.
        strides: stride of the first block of each stage. The stem halves the image,
            and halves it again where ``pool`` is not ``'none'``.
        dilations: dilation of each stage: in basic blocks of the first 3x3
            convolution, in bottlenecks of the 3x3 one (as in OpenMMLab's ResNet).
        out_indices: stages to return, from 0 (``layer1``) to 3 (``layer4``).
        pool: 3x3 stride 2 pool of the stem: ``'max'``, ``'mean'`` or ``'none'``.
        padding_mode: ``'reflect'`` for CRW weights trained from scratch. The pool
            is never affected.
        zero_batches: shift the statistics of the batch norms after every loading of
            weights as :func:`run_zero_batches` says. Published numbers of ImageNet,
            MoCo-v2 and SimSiam networks by CRW's and CatMAE's scripts may carry it.
        zero_init_residual: the last batch norm of every block begins with weight 0, so
            that a block begins as its shortcut (VFS, Spa-then-Temp).

    Attributes:
        stride: pixels per cell of the last returned map; ``out_strides`` has all.
        channels: channels of each returned map.
        any_size: images of any size are taken, ``h = ceil(H / stride)``.

    Reference: He et al., CVPR 2016, arXiv:1512.03385.
    """

    any_size = True

    def __init__(
        self,
        depth: int = 18,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (3,),
        pool: str = 'max',
        padding_mode: PaddingMode = 'zeros',
        zero_batches: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        _check(depth, strides, dilations, out_indices, pool, padding_mode)
        self.out_indices, self.pool = tuple(out_indices), pool
        block, depths = _ARCHITECTURES[depth]
        self.conv1 = nn.Conv2d(
            3, 64, 7, _STEM_STRIDE, 3, bias=False, padding_mode=padding_mode
        )
        self.bn1 = nn.BatchNorm2d(64)
        in_channels, stride = 64, _STEM_STRIDE * (1 if pool == 'none' else 2)
        stage_strides = []
        for i, width in enumerate(_WIDTHS):
            blocks = []
            for n in range(depths[i]):
                step = strides[i] if n == 0 else 1
                args = (in_channels, width, step, dilations[i], padding_mode)
                blocks.append(block(*args))
                in_channels = width * block.expansion
            self.add_module(f'layer{i + 1}', nn.Sequential(*blocks))
            stride *= strides[i]
            stage_strides.append(stride)
        self.out_strides = [stage_strides[i] for i in self.out_indices]
        self.stride: int = self.out_strides[-1]
        self.channels: list[int] = [
            _WIDTHS[i] * block.expansion for i in self.out_indices
        ]
        self._init_weights(zero_init_residual)
        if zero_batches:
            self.register_load_state_dict_post_hook(_shift_after_loading)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``(b, 3, H, W)`` to one ``(b, c, h, w)`` per entry of ``out_indices``."""
        return self.stage_maps(images, self.out_indices)

    def stage_maps(self, images: Tensor, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """Maps of the stages ``indices``; stages after the last of them do not run."""
        stages = {}
        x = self.stem(images)
        for i, stage in self._stages(max(indices)):
            x = stages[i] = stage(x)
        return tuple(stages[i] for i in indices)

    def block_maps(self, images: Tensor, stage: int) -> tuple[Tensor, ...]:
        """Output of every residual block of a stage, the last is the stage's map.

        Args:
            images: ``(b, 3, H, W)``.
            stage: index of the stage, from 0.
        """
        x, maps = self.stem(images), []
        for i, blocks in self._stages(stage):
            for block in blocks:
                x = block(x)
                if i == stage:
                    maps.append(x)
        return tuple(maps)

    def stem(self, images: Tensor) -> Tensor:
        """``(b, 3, H, W)`` to ``(b, 64, h, w)``: convolution, BN, ReLU and pool."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        if self.pool == 'max':
            return F.max_pool2d(x, kernel_size=3, stride=2, padding=1)
        if self.pool == 'mean':
            return F.avg_pool2d(x, kernel_size=3, stride=2, padding=1)
        return x

    def _stages(self, last: int) -> Iterator[tuple[int, nn.Sequential]]:
        for i in range(last + 1):
            yield i, getattr(self, f'layer{i + 1}')

    def _init_weights(self, zero_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out')
            elif zero_residual and isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif zero_residual and isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


@torch.no_grad()
def run_zero_batches(network: ResNet) -> None:
    """Shift running statistics as scripts do that measure the shape of features.

    They pass two batches of zeros (1 x 3 x 256 x 256, 10 x 3 x 320 x 320) through the
    network that has its weights but is still in training mode. Statistics of stages
    that are not returned stay. Equal images have the statistics of one, so one passes
    for all; the number of images enters the unbiased variance alone.

    Reference: ajabri/videowalk (047f3f4) and minhoooo1/CatMAE (0fb1f60), ``test.py``.
    """
    was_training = network.training
    network.train()
    for images, side in _ZERO_BATCHES:
        hooks = [
            module.register_forward_hook(_CountImages(module, images))
            for module in network.modules()
            if isinstance(module, nn.BatchNorm2d)
        ]
        network(network.conv1.weight.new_zeros(1, 3, side, side))
        for hook in hooks:
            hook.remove()
    network.train(was_training)


class _CountImages:
    """After a batch norm saw one image: the variance as if it were several copies."""

    def __init__(self, norm: nn.BatchNorm2d, images: int) -> None:
        assert norm.running_var is not None
        self.images, self.before = images, norm.running_var.clone()

    def __call__(
        self, norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...], output: Tensor
    ) -> None:
        count = inputs[0].numel() // inputs[0].shape[1]  # of values per channel
        unbiased = self.images * (count - 1) / (self.images * count - 1)
        old = (1 - (norm.momentum or 0.0)) * self.before
        assert norm.running_var is not None
        norm.running_var.copy_(old + (norm.running_var - old) * unbiased)


def _shift_after_loading(network: ResNet, incompatible_keys: object) -> None:
    run_zero_batches(network)


def _conv3x3(
    in_channels: int,
    channels: int,
    stride: int,
    dilation: int,
    padding_mode: PaddingMode,
) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels,
        channels,
        3,
        stride,
        padding=dilation,
        dilation=dilation,
        bias=False,
        padding_mode=padding_mode,
    )


def _shortcut(in_channels: int, channels: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and in_channels == channels:
        return None
    conv = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


def _check(
    depth: int,
    strides: Sequence[int],
    dilations: Sequence[int],
    out_indices: Sequence[int],
    pool: str,
    padding_mode: str,
) -> None:
    for name, value, allowed in [
        ('depth', depth, tuple(_ARCHITECTURES)),
        ('pool', pool, POOLS),
        ('padding_mode', padding_mode, PADDING_MODES),
    ]:
        if value not in allowed:
            raise ValueError(f'{name} of ResNet is {value!r}, allowed are {allowed}.')
    for name, values in [('strides', strides), ('dilations', dilations)]:
        if len(values) != len(_WIDTHS) or min(values) < 1:
            raise ValueError(
                f'{name} of ResNet is {tuple(values)}, it needs {len(_WIDTHS)} '
                'positive integers, one per stage.'
            )
    stages = tuple(range(len(_WIDTHS)))
    if not out_indices or any(i not in stages for i in out_indices):
        raise ValueError(
            f'out_indices of ResNet is {tuple(out_indices)}, it needs one or more of '
            f'{stages} (0 is layer1).'
        )
