"""SMTC: slots of semantics and of instances agree through the frames of a clip."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from densecorr.models.heads.slots import ClipSlots
from densecorr.ops.monitors import feature_std
from densecorr.ops.noise import item_noise
from densecorr.ops.slots import valid_instances
from densecorr.registry import MODELS

from .base import BaseMethod, clip_seeds

MIN_FRAMES = 2  # the transport loss compares different frames
_STREAMS = dict(student=0, teacher=1)  # of slot noise; those of views follow


@MODELS.register_module()
class SMTC(BaseMethod):
    """Semantic-aware masked slot attention with a teacher.

    Student and teacher see two views of a clip and take slots of each frame. Semantic
    slots agree along transport plans of the teacher's keys and do not overlap; instance
    slots that count are found again in the teacher's frames.

    Args:
        backbone: config of a network whose last map has the keys of a ViT's last block
            (``TimmFeatures`` with ``facet='key'``).
        inputs: see :class:`BaseMethod`.
        head: config of the head, see :class:`SlotHead`; ``channels`` is filled in.
        losses: configs of the losses ``transport``, ``overlap`` and ``instance``, laid
            over ``SlotTransportLoss``, ``SlotOverlapLoss`` and ``SlotInstanceLoss``;
            None leaves one out.
        valid: thresholds of :func:`densecorr.ops.slots.valid_instances`.
        views: config of the random views, see :class:`ClipViews`; None: both networks
            see the frames as they are.
        train_inputs: see :class:`BaseMethod`.

    Reads ``frames`` ``(b, t, 3, H, W)``, t of at least 2, and each clip's ``seed``.
    Inputs may have ``teacher_frames``, the teacher's view, and ``student_noise`` and
    ``teacher_noise`` ``(b, t, s, p, c)``, normal, which are drawn otherwise.

    The teacher follows by ``EMATeacherHook``, one for ``backbone`` and one for
    ``head``; it is always in evaluation mode, so it drops no paths.

    Reference: "Semantics Meets Temporal Correspondence: Self-supervised Object-centric
        Learning in Videos", ICCV 2023, arXiv:2308.09951. Official: shvdiwnkozbw/SMTC
        (b577360, and d0791d8 of March 2024 for the relaxed recipe).
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        head: dict | None = None,
        losses: dict[str, dict | None] | None = None,
        valid: dict | None = None,
        views: dict | None = None,
        train_inputs: dict | None = None,
    ) -> None:
        super().__init__(backbone, inputs, train_inputs)
        channels = self.backbone.channels[-1]
        self.head: Any = MODELS.build(
            {'type': 'SlotHead', 'channels': channels, **(head or {})}
        )
        parts = dict(backbone=self.backbone, head=self.head)
        self.teacher = nn.ModuleDict(copy.deepcopy(parts)).requires_grad_(False)
        self.criteria = nn.ModuleDict(_criteria(losses or {}))
        self.valid = dict(valid or {})
        self.views: Any = (
            None if views is None else MODELS.build({'type': 'ClipViews', **views})
        )

    def train(self, mode: bool = True) -> SMTC:
        """The teacher stays in evaluation mode."""
        super().train(mode)
        self.teacher.eval()
        return self

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """The losses, shares of instances that count, and the spread of semantics.

        Raises:
            ValueError: clips of fewer than two frames, or of another shape.
        """
        frames = inputs['frames']
        if frames.ndim != 5 or frames.shape[1] < MIN_FRAMES:
            raise ValueError(
                f'frames of SMTC are {tuple(frames.shape)}; give (b, t, 3, H, W) with '
                f't of at least {MIN_FRAMES}: raise num_frames of the clip sampler.'
            )
        student = self.student_slots(inputs, data_samples)
        teacher = self.teacher_slots(inputs, data_samples)
        student_valid, teacher_valid = self.count(student), self.count(teacher)
        arguments = dict(
            transport=(student.semantic_dots, teacher.semantic_dots, teacher.keys),
            overlap=(student.semantic_dots,),
            instance=(student.objects, teacher.objects, student_valid, teacher_valid),
        )
        losses = {
            f'loss_{name}': criterion(*arguments[name])
            for name, criterion in self.criteria.items()
        }
        return dict(
            **losses,
            valid_share=student_valid.float().mean(),
            valid_share_teacher=teacher_valid.float().mean(),
            feature_std=feature_std(student.semantic_slots),
        )

    def student_slots(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> ClipSlots:
        """Slots of the student's view."""
        frames = self._view(inputs['frames'], 'student', data_samples)
        noise = self._noise('student', inputs, data_samples)
        return self._slots(frames, noise, self.backbone, self.head)

    @torch.no_grad()
    def teacher_slots(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> ClipSlots:
        """Slots of the teacher's view."""
        frames = inputs.get('teacher_frames', inputs['frames'])
        frames = self._view(frames, 'teacher', data_samples)
        noise = self._noise('teacher', inputs, data_samples)
        parts = self.teacher['backbone'], self.teacher['head']
        return self._slots(frames, noise, *parts)

    def slots_of(self, frames: Tensor, noise: Tensor) -> ClipSlots:
        """The student's slots of whole frames, without a random view.

        Args:
            frames: ``(b, t, 3, H, W)`` uint8, or floats in the colour space.
            noise: ``(b, t, s, p, c)``, normal.
        """
        return self._slots(self.normalize(frames), noise, self.backbone, self.head)

    def count(self, slots: ClipSlots) -> Tensor:
        """Which instance slots take part, ``(b, t, s, p)`` bool."""
        return valid_instances(
            slots.semantic_dots,
            slots.semantic_slots,
            slots.instance_slots,
            **self.valid,
        )

    def _slots(
        self, frames: Tensor, noise: Tensor, backbone: nn.Module, head: nn.Module
    ) -> ClipSlots:
        """Slots of ``(b, t, 3, H, W)`` normalised frames."""
        maps = backbone(frames.flatten(0, 1))[-1]
        return head(maps.unflatten(0, frames.shape[:2]), noise)

    def _view(self, frames: Tensor, who: str, data_samples: list[dict]) -> Tensor:
        """A normalised view."""
        if self.views is not None:
            stream = len(_STREAMS) + _STREAMS[who]
            draws = self.views.draw(clip_seeds(data_samples), stream)
            frames = self.views(frames, draws)
        return self.normalize(frames)

    def _noise(
        self, who: str, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> Tensor:
        """Given or drawn noise of the slots."""
        name = f'{who}_noise'
        if name in inputs:
            return inputs[name]
        frames = inputs['frames']
        shape = (frames.shape[1], *self.head.noise_shape)
        seeds = clip_seeds(data_samples)
        return item_noise(seeds, _STREAMS[who], shape, frames.device, normal=True)


def _criteria(losses: dict[str, dict | None]) -> dict[str, nn.Module]:
    """Losses by name.

    Raises:
        KeyError: an unknown name.
    """
    defaults = dict(
        transport='SlotTransportLoss',
        overlap='SlotOverlapLoss',
        instance='SlotInstanceLoss',
    )
    unknown = sorted(set(losses) - set(defaults))
    if unknown:
        raise KeyError(
            f'losses of SMTC has {unknown}; it has the losses {list(defaults)}. None '
            'leaves one out.'
        )
    given = {name: losses.get(name, {}) for name in defaults}
    return {
        name: MODELS.build({'type': defaults[name], **options})
        for name, options in given.items()
        if options is not None
    }
