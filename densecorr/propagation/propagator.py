"""Online label propagation: one frame in, its soft labels out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from densecorr.ops.keys import Keys
from densecorr.ops.propagate import DEFAULT_MEMORY, Propagated, propagate
from densecorr.ops.search import Statistics
from densecorr.ops.selection import Rule
from densecorr.ops.window import Window

from .check import SpotCheck
from .context import Context
from .memory import FrameMemory


@dataclass(frozen=True)
class Limits:
    """What the propagation may use; none of it changes a float32 result.

    Args:
        max_memory: bound on what the operator allocates beyond features and labels.
        max_bank: bound on the stored features, see :class:`FrameMemory`.
        method: ``'auto'``, ``'dense'``, ``'windowed'`` or ``'fused'``, see
            :func:`densecorr.ops.propagate.propagate`.
        precision: ``'float32'`` or ``'bfloat16'`` with certificates.
        check: so many random queries of every frame are computed again by the
            definition, and a difference is an error (slow).
    """

    max_memory: int | str = DEFAULT_MEMORY
    max_bank: int | str | None = None
    method: str = 'auto'
    precision: str = 'float32'
    check: int = 0


_WORTH = 0.9  # certified share below which bfloat16 costs more than it saves


class LabelPropagator:
    """Carries labels through a video, frame by frame, with constant memory.

    Args:
        context: frames that are looked into.
        window: neighbourhood on the feature grid.
        rule: top-k, temperature, ties, weights.
        normalize: features get length 1 (cosine affinity).
        hard: the most likely label is kept for later frames instead of soft ones.
        limits: memory, method and precision.

    Attributes:
        last: result of the newest call of the operator.
        statistics: ties and certificates, summed over all videos.
        checks: spot checks, summed over all videos.

    Labels may appear in any frame (:meth:`step` with ``labels``): every frame that
    brings new ones becomes a reference of its own for them, as in DUL.
    """

    def __init__(
        self,
        context: Context,
        window: Window,
        rule: Rule,
        normalize: bool = True,
        hard: bool = False,
        limits: Limits | None = None,
    ) -> None:
        self.context, self.window, self.rule = context, window, rule
        self.normalize, self.hard = normalize, hard
        self.limits = limits or Limits()
        self.last: Propagated | None = None
        self.checks = SpotCheck(self.limits.check)
        self.statistics = Statistics()
        self.start()

    def start(self) -> None:
        """Forget everything: the next :meth:`step` is frame 0 of a new video."""
        capacity = self.context.num_frames + 1 + len(self.context.long_memory)
        self._memory = FrameMemory(
            capacity, self.limits.max_bank, self.limits.precision == 'bfloat16'
        )
        self._references: dict[int, Tensor] = {}
        self._time = 0
        self._precision = self.limits.precision

    @torch.no_grad()
    def step(
        self,
        feats: Tensor,
        labels: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Tensor:
        """Soft labels of the next frame.

        Args:
            feats: ``(c, h, w)`` features.
            labels: ``(o, h, w)`` soft labels given for this frame: of all objects in
                the first frame that has any, of those that appear here later on.
            present: ``(o,)`` bool, the labels for which this frame is the reference;
                those with any weight by default.

        Returns:
            ``(o, h, w)`` float32.

        Raises:
            ValueError: the first frame comes without labels, or ``labels`` are on
                another grid than ``feats``.
        """
        check_given(feats, labels, first=self._time == 0)
        unit = self.unit(feats)
        soft = self._propagated(unit, labels)
        if labels is not None:
            given = labels.flatten(1).t().to(soft)  # (n, o)
            soft = self._with_new_labels(soft, given, present)
        starts = list(self._references) or [self._time]
        frames = [self.context.kept(self._time + 1, start) for start in starts]
        self._memory.keep(set().union(*frames))
        kept = one_hot(soft) if self.hard else soft
        self._memory.add(self._time, unit, kept)
        self._time += 1
        return soft.t().unflatten(1, feats.shape[1:])

    def keys(self, reference: int = 0) -> Keys:
        """The memory as the next frame will see it."""
        return self._memory.keys(self.context.entries(self._time, reference))

    @property
    def memory_labels(self) -> Tensor:
        """Soft labels that belong to :meth:`keys`, ``(m * h * w, o)``."""
        return self._memory.labels

    @property
    def store(self) -> str:
        """How features are stored: ``'float32'``, ``'float16'`` or ``'disk'``."""
        return self._memory.store

    def unit(self, feats: Tensor) -> Tensor:
        """``(c, h, w)`` features as they are compared: ``(h, w, c)``, float32."""
        return compared(feats, self.normalize)

    def _propagated(self, unit: Tensor, labels: Tensor | None) -> Tensor:
        """``(n, o)``; zeros while no reference is known."""
        limits, total = self.limits, None
        for reference, present in self._references.items():
            memory = (self.keys(reference), self._memory.labels, self.window, self.rule)
            self.last = propagate(
                unit,
                *memory,
                max_memory=limits.max_memory,
                method=limits.method,
                precision=self._precision,
            )
            self.statistics += self.last.statistics
            self._reconsider(self.last.statistics.certified)
            part = self.last.labels.flatten(0, 1)
            self.checks.compare(part, unit, *memory)
            if len(self._references) > 1:
                part = part * present
            total = part if total is None else total + part
        if total is None:
            count = len(labels) if labels is not None else self._memory.labels.shape[1]
            total = unit.new_zeros(unit.shape[0] * unit.shape[1], count)
        return total

    def _reconsider(self, certified: float) -> None:
        """Leave bfloat16 for the rest of a video that it cannot tell apart."""
        if self._precision == 'bfloat16' and certified < _WORTH:
            self._precision = 'float32'
            print_log(
                f'bfloat16 proves only {certified:.0%} of the queries of frame '
                f'{self._time}: float32 for the rest of this video',
                logger='current',
            )

    def _with_new_labels(
        self, soft: Tensor, labels: Tensor, present: Tensor | None
    ) -> Tensor:
        """Blend labels that appear here into the propagated ones (DUL, Sec. 8)."""
        if present is None:
            present = labels.sum(0) > 0
        if bool(present.any()):
            self._references[self._time] = present.to(soft)
        return labels if self._time == 0 else blend(soft, labels)


def check_given(feats: Tensor, labels: Tensor | None, first: bool) -> None:
    """Refuse ``(o, h, w)`` labels that do not fit ``(c, h, w)`` features.

    Raises:
        ValueError: another grid; or none in the ``first`` frame.
    """
    if labels is not None and labels.shape[1:] != feats.shape[1:]:
        raise ValueError(
            f'labels are on a {tuple(labels.shape[1:])} grid, features on '
            f'{tuple(feats.shape[1:])}. Encode the labels at the feature size.'
        )
    if first and labels is None:
        raise ValueError(
            'frame 0 needs labels (zeros where no object is known yet): nothing '
            'else says how many there are.'
        )


def compared(feats: Tensor, normalize: bool) -> Tensor:
    """``(c, h, w)`` features as they are compared: ``(h, w, c)``, float32."""
    feats = F.normalize(feats.float(), dim=0) if normalize else feats.float()
    return feats.permute(1, 2, 0).contiguous()  # (h, w, c)


def blend(soft: Tensor, labels: Tensor) -> Tensor:
    """Labels given in a frame over the propagated ones, ``(n, o)`` both."""
    share = labels.sum(1, keepdim=True)
    return (1 - share) * soft + share * labels


def one_hot(soft: Tensor) -> Tensor:
    """``(n, o)``: 1 for the most likely label."""
    return F.one_hot(soft.argmax(1), soft.shape[1]).to(soft.dtype)
