"""Spa-then-Temp, second step: colours found again, by matches of three sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from densecorr.ops.correlation import local_correlation
from densecorr.ops.monitors import feature_std
from densecorr.ops.noise import item_noise
from densecorr.registry import MODELS

from .base import BaseMethod, ImageNormalizer, clip_seeds

_FRAMES = 2  # the reference, then the target
_LEVELS = 2  # with windows: fine and coarse
_CELL = 2  # side of a coarse position in fine ones
_COLORS = (1, 2)  # a and b, one of which is hidden and reconstructed
_KEPT = 3 / 2  # the other channels make up for the hidden one
LABS = ('opencv', 'formula')
_PARTS = ('backbone', 'inputs')


@MODELS.register_module()
class SpaThenTemp(BaseMethod):
    """Reconstruct a colour of a frame from its neighbour; distil matches downwards.

    The student sees LAB images of which a or b is hidden, and matches the two frames at
    three levels. Matches in windows of the fine and the coarse level carry the hidden
    colour from the reference to the target. Matches of the coarse level learn from
    those of the fine one where the selection trusts them, and those of the last level,
    without a window, from a frozen teacher that sees RGB.

    Args:
        backbone: config of the student, a ResNet with three ``out_indices``; without a
            teacher the first two are used, and stages after them are not trained.
        inputs: LAB, see :class:`BaseMethod`.
        teacher: ``dict(backbone=..., inputs=...)`` of the frozen network; None leaves
            out its loss. ``teacher=PATH`` of the training config gives its weights.
        radii: inclusive, of the windows of the fine and the coarse level.
        selection: config of :class:`MatchSelection`; its radius is the coarse one.
        losses: configs by ``reconstruction``, ``local``, ``distant``: arguments of
            :class:`ColorReconstructionLoss`, :class:`LocalDistillationLoss`,
            :class:`GlobalDistillationLoss`.
        lab: ``'opencv'``: the clips carry ``images_lab``, see :class:`ClipToLab`;
            ``'formula'``: made of ``frames`` on their device, within 5e-3.

    Reads ``frames`` ``(b, 2, 3, H, W)``, reference first, ``images_lab`` of the same
    shape, and the first clip's ``seed``. ``dropped_channel`` among the inputs, 1 for a
    or 2 for b, takes the place of the drawn one. One is drawn for the whole batch.

    Reference: Li and Liu, CVPR 2023. Official: qianduoduolr/Spa-then-Temp
        ``vcl/models/trackers/framework.py``, ``configs/train/train.py`` (4c94362).
    """

    frozen = ('teacher',)

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        teacher: dict | None = None,
        radii: Sequence[int] = (12, 6),
        selection: dict | None = None,
        losses: Mapping[str, dict] | None = None,
        lab: str = 'opencv',
    ) -> None:
        stages = _stages(backbone, teacher)
        super().__init__({**backbone, 'out_indices': stages}, inputs)
        _leave_out_later_stages(self.backbone, max(stages))
        if lab not in LABS:
            raise ValueError(f'lab of SpaThenTemp is {lab!r}, allowed are {LABS}.')
        if len(radii) != _LEVELS:
            raise ValueError(
                f'radii of SpaThenTemp are {tuple(radii)}; give two, of the fine and '
                'the coarse level.'
            )
        self.radii, self.lab = tuple(radii), lab
        self.selection: Any = MODELS.build(
            {'type': 'MatchSelection', 'radius': radii[1], **(selection or {})}
        )
        parts = _losses(losses or {})
        self.reconstruction, self.local, self.distant = parts
        self.teacher: Any = None
        if teacher is not None:
            self.teacher = MODELS.build(teacher['backbone']).eval()
            self.teacher.requires_grad_(False)
            self.normalize_teacher = ImageNormalizer(**teacher['inputs'])

    def train(self, mode: bool = True) -> SpaThenTemp:
        """The teacher always evaluates."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """Two reconstructions, the distillations, and what the selection took.

        Raises:
            ValueError: the method evaluates, or frames, LAB images, levels, radii or
                the dropped channel are not what the class says.
        """
        frames = self._checked(inputs)
        lab = self.normalize(inputs['images_lab'] if self.lab == 'opencv' else frames)
        channel = self._dropped_channel(inputs, data_samples)
        maps = self._pairs(self.backbone, without_channel(lab, channel))
        colors = lab[:, :, channel : channel + 1]  # (b, 2, 1, H, W)
        losses, windows = {}, []
        _check_levels(maps, frames)
        for level, radius in enumerate(self.radii):
            (reference, target), cell = maps[level], _CELL if level == 0 else 1
            step = frames.shape[-1] // target.shape[-1]
            source = colors[:, 0, :, ::step, ::step]
            found = local_correlation(target, reference, source, radius, cell=cell)
            windows.append(found.windows)
            losses[f'loss_reconstruction_{level}'] = self.reconstruction(
                found.transported, colors[:, 1]
            )
        reference, target = maps[1]
        weight = self.selection(target, reference)
        losses['loss_local'] = self.local(windows[1], windows[0], weight, _CELL)
        if self.teacher is not None:
            losses['loss_global'] = self._global_loss(maps[-1], frames)
        share = weight.detach().mean()
        return {**losses, 'selected_share': share, 'feature_std': _spread(target)}

    def _checked(self, inputs: dict[str, Tensor]) -> Tensor:
        """The frames."""
        frames = inputs['frames']
        if not self.training:
            raise ValueError(
                'SpaThenTemp is in evaluation mode, but its loss hides a colour and '
                'needs batch statistics, which belongs to training. Call train() first.'
            )
        if frames.ndim != 5 or frames.shape[1] != _FRAMES:
            raise ValueError(
                f'frames of SpaThenTemp are {tuple(frames.shape)}; give (b, 2, 3, H, '
                'W), reference and target, as SpaThenTempSampler draws them.'
            )
        if self.lab == 'opencv' and 'images_lab' not in inputs:
            raise ValueError(
                f'the clips carry {sorted(inputs)}, but no images_lab. Put '
                "dict(type='ClipToLab') before dict(type='PackClip', "
                "keys=['images_lab']), or set model.lab='formula'."
            )
        return frames

    def _dropped_channel(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> int:
        if 'dropped_channel' not in inputs:
            noise = item_noise(clip_seeds(data_samples)[:1], 0, (1,))
            return _COLORS[int(noise.item() * len(_COLORS))]
        channel = int(inputs['dropped_channel'])
        if channel not in _COLORS:
            raise ValueError(f'dropped_channel is {channel}, allowed are {_COLORS}.')
        return channel

    def _pairs(self, network: nn.Module, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Maps ``(b, c, h, w)`` of reference and target at every level."""
        maps = network(images.flatten(0, 1))
        pairs = (level.unflatten(0, images.shape[:2]) for level in maps)
        return [(pair[:, 0], pair[:, 1]) for pair in pairs]

    def _global_loss(self, student: tuple[Tensor, Tensor], frames: Tensor) -> Tensor:
        images = self.normalize_teacher(frames)
        reference, target = self._pairs(self.teacher, images)[-1]
        return self.distant(student[::-1], (target, reference))


def without_channel(lab: Tensor, channel: int) -> Tensor:
    """``(..., 3, H, W)`` with one channel 0 and the others times 3/2."""
    images = lab * _KEPT
    images[..., channel, :, :] = 0
    return images


def _stages(backbone: Mapping, teacher: Mapping | None) -> tuple[int, ...]:
    """Stages of the student that are used."""
    stages = tuple(backbone.get('out_indices', ()))
    wanted = _LEVELS if teacher is None else _LEVELS + 1
    if len(stages) not in (wanted, _LEVELS + 1):
        raise ValueError(
            f'out_indices of the backbone of SpaThenTemp are {stages}; give the fine, '
            'the coarse and the last level, (1, 2, 3) of a ResNet (without a teacher '
            'the last may be left out).'
        )
    if teacher is not None and sorted(teacher) != sorted(_PARTS):
        raise ValueError(
            f'teacher of SpaThenTemp has {sorted(teacher)}; it is '
            'dict(backbone=..., inputs=...). Its weights are teacher=PATH beside model.'
        )
    return stages[:wanted]


def _leave_out_later_stages(backbone: nn.Module, last: int) -> None:
    for name, stage in backbone.named_children():
        number = name.removeprefix('layer')
        if number.isdigit() and int(number) > last + 1:
            stage.requires_grad_(False)


def _losses(configs: Mapping[str, dict]) -> list[Any]:
    kinds = dict(
        reconstruction='ColorReconstructionLoss',
        local='LocalDistillationLoss',
        distant='GlobalDistillationLoss',
    )
    unknown = sorted(set(configs) - set(kinds))
    if unknown:
        raise ValueError(
            f'losses of SpaThenTemp have {unknown}; they are {list(kinds)}.'
        )
    return [
        MODELS.build({'type': kind, **configs.get(name, {})})
        for name, kind in kinds.items()
    ]


def _check_levels(maps: Sequence[tuple[Tensor, Tensor]], frames: Tensor) -> None:
    fine, coarse = (tuple(level[0].shape[2:]) for level in maps[:_LEVELS])
    image = tuple(frames.shape[3:])
    if fine != tuple(_CELL * side for side in coarse):
        raise ValueError(
            f'the fine level is {fine} and the coarse one {coarse} for images of '
            f'{image}; the fine one should have {_CELL} x {_CELL} positions for each '
            'of the coarse one. Take images whose sides are multiples of the strides, '
            'and out_indices of neighbouring stages.'
        )
    if any(pixels % side for pixels, side in zip(image, fine, strict=True)):
        raise ValueError(
            f'images of {image} are no multiple of the fine level {fine}. Resize them '
            'to a multiple of its stride.'
        )


def _spread(feats: Tensor) -> Tensor:
    """:func:`feature_std` of the positions of ``(b, c, h, w)`` maps."""
    return feature_std(feats.flatten(2).transpose(1, 2))
