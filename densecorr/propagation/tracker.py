"""A backbone and a protocol: a video in, a label map (or joints) per frame out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from densecorr.ops.size_policy import Size, SizePlan
from densecorr.registry import MODELS
from densecorr.structures import FrameResult, JointResult, VideoSample

from .frames import FrameInput, resize_maps
from .propagator import LabelPropagator, Limits
from .protocol import Protocol

_R = TypeVar('_R')


@dataclass(frozen=True)
class Step(Generic[_R]):
    """One frame of a video on its way through a propagation.

    Attributes:
        feats: ``(c, h, w)``.
        labels: ``(o, h, w)`` soft labels that are given, None where none are.
        present: ``(o,)`` bool, those of which this frame is the reference.
        result: from the ``(o, h, w)`` soft labels of the frame to its result.
    """

    feats: Tensor
    labels: Tensor | None
    present: Tensor | None
    result: Callable[[Tensor], _R]


@MODELS.register_module()
class VideoTracker(nn.Module):
    """Propagates the first labels of a video with the features of a backbone.

    Args:
        backbone: config of a backbone; the last of its maps is used.
        inputs: ``color``, ``mean`` and ``std`` of :class:`FrameInput`.
        protocol: one task of a protocol, see :class:`Protocol`.
        limits: fields of :class:`densecorr.propagation.propagator.Limits`.
        chunk: frames that pass the backbone together.

    Reads ``frame_names``, ``read_frame``, ``first_label_frames``, and ``read_labels``
    or ``read_joints`` of a :class:`VideoSample`.
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        protocol: Mapping[str, Any],
        limits: Mapping[str, Any] | None = None,
        chunk: int = 1,
    ) -> None:
        super().__init__()
        if chunk < 1:
            raise ValueError(f'chunk is {chunk}; it should be at least 1.')
        self.backbone = MODELS.build(backbone)
        self.protocol = Protocol.from_config(protocol)
        self.inputs = FrameInput(
            **inputs,
            size=self.protocol.size,
            resizer=self.protocol.resizer,
            multiple=1 if self.backbone.any_size else self.backbone.stride,
        )
        self.chunk = chunk
        self._place: Tensor
        self.register_buffer('_place', torch.empty(0), persistent=False)
        self.propagator = LabelPropagator(
            self.protocol.context,
            self.protocol.window,
            self.protocol.select,
            self.protocol.normalize,
            self.protocol.hard,
            Limits(**(limits or {})),
        )

    @property
    def device(self) -> torch.device:
        """Where the tracker was moved to, also if its backbone has no weights."""
        return self._place.device

    @torch.no_grad()
    def features(self, frames: list[np.ndarray]) -> Tensor:
        """``(b, c, h, w)`` features of ``(H, W, 3)`` uint8 RGB frames of one size."""
        images = torch.stack([self.inputs(frame) for frame in frames])
        size = (images.shape[-2], images.shape[-1])
        height, width = self.seen_size(size)
        seen = images[..., :height, :width]
        maps = self.backbone(seen.to(self.device))[-1]
        return self.to_label_grid(maps, size)

    @property
    def grid_stride(self) -> int:
        """Pixels of the input per cell of the grid of labels."""
        return self.protocol.label_stride or self.backbone.stride

    def seen_size(self, size: Size) -> Size:
        """What the network gets of an input: all, unless labels have their own grid.

        Then the input may be no multiple of the network's stride, and what is left
        over at the bottom and at the right is cut off.
        """
        if self.protocol.label_stride is None or self.backbone.any_size:
            return size
        stride = self.backbone.stride
        return size[0] // stride * stride, size[1] // stride * stride

    def label_grid(self, size: Size) -> Size | None:
        """(h, w) of the labels' own grid for an input; None: that of the features."""
        stride = self.protocol.label_stride
        if stride is None:
            return None
        return max(size[0] // stride, 1), max(size[1] // stride, 1)

    def to_label_grid(self, maps: Tensor, size: Size) -> Tensor:
        """``(b, c, h, w)`` features of an input of ``size``, on the grid of labels."""
        grid = self.label_grid(size)
        return maps if grid is None else resize_maps(maps, grid)

    def frame_features(self, video: VideoSample, frames: Sequence[int]) -> Tensor:
        """``(b, c, h, w)`` features of some frames of a video, by their numbers."""
        return self.features([video.read_frame(index) for index in frames])

    def track(self, video: VideoSample) -> Iterator[FrameResult]:
        """Label maps of all frames, in order, each as soon as it is known.

        Frame 0 is given as the protocol writes it. Labels of later first-label frames
        start objects there.
        """
        yield from self._follow(video, self.label_steps(video))

    def track_joints(self, video: VideoSample) -> Iterator[JointResult]:
        """Joints of all frames, in order; those of frame 0 are given."""
        yield from self._follow(video, self.joint_steps(video))

    def _follow(self, video: VideoSample, steps: Iterable[Step[_R]]) -> Iterator[_R]:
        self.propagator.start()
        for step in steps:
            yield step.result(
                self.propagator.step(step.feats, step.labels, step.present)
            )
        self._report(video)

    def label_steps(self, video: VideoSample) -> Iterator[Step[FrameResult]]:
        """What the propagation of label maps needs of every frame, in order."""
        plan, codec = self.inputs.plan(*video.size), self.protocol.label_codec()
        ids, new_in = objects_of(video, lambda labels: codec.seen(labels, plan))

        def decode(
            index: int, label_map: np.ndarray | None, soft: Tensor
        ) -> FrameResult:
            if index == 0 and label_map is not None:
                found = codec.first_labels(label_map, soft, ids, plan)
            else:
                found = codec.to_labels(soft, ids, plan)
            return FrameResult(index, found)

        for index, feats in self._feature_stream(video):
            labels, present, label_map = None, None, None
            if index in new_in or index == 0:
                label_map = first_label_map(video, index)
                labels = self._encode(label_map, ids, new_in, index, plan, feats)
            if index and labels is not None:
                new = new_in[index]
                present = torch.tensor([n in new for n in ids], device=feats.device)
            yield Step(feats, labels, present, partial(decode, index, label_map))

    def joint_steps(self, video: VideoSample) -> Iterator[Step[JointResult]]:
        """What the propagation of joints needs of every frame, in order."""
        plan, codec = self.inputs.plan(*video.size), self.protocol.joint_codec()
        given = given_joints(video)

        def decode(index: int, soft: Tensor) -> JointResult:
            if index:
                return JointResult(index, codec.to_joints(soft, plan))
            return JointResult(index, codec.first_joints(given, soft, plan))

        for index, feats in self._feature_stream(video):
            labels = None
            if not index:
                grid = (feats.shape[1], feats.shape[2])
                labels = codec.to_soft(given, plan, grid).to(feats.device)
            yield Step(feats, labels, None, partial(decode, index))

    def _report(self, video: VideoSample) -> None:
        """Say how the propagation was computed."""
        last, checks = self.propagator.last, self.propagator.checks
        if last is not None and last.plan is not None:
            text = f'{video.name}: propagation {last.plan}'
            if self.propagator.store != 'float32':
                text += f', features stored as {self.propagator.store}'
            if self.propagator.limits.precision == 'bfloat16':
                share = self.propagator.statistics.certified
                text += f', {share:.2%} of the queries certified in bfloat16'
            print_log(text, logger='current')
        if checks.queries:
            print_log(
                f'spot checks so far: {checks.checked} queries, largest difference of '
                f'a soft label {checks.worst:.1e}, {checks.close} decided by less than '
                '1e-5 at rank k',
                logger='current',
            )

    def _encode(
        self,
        label_map: np.ndarray,
        ids: list[int],
        new_in: Mapping[int, set[int]],
        index: int,
        plan: SizePlan,
        feats: Tensor,
    ) -> Tensor:
        """Soft labels of the ids that this frame brings; the others stay zero."""
        new = new_in.get(index, set())
        grid = (feats.shape[1], feats.shape[2])
        soft = self.protocol.label_codec().to_soft(label_map, ids, plan, grid)
        wanted = torch.tensor([number in new for number in ids])
        return (soft * wanted[:, None, None]).to(feats.device)

    def _feature_stream(self, video: VideoSample) -> Iterator[tuple[int, Tensor]]:
        for start in range(0, video.num_frames, self.chunk):
            frames = range(start, min(start + self.chunk, video.num_frames))
            yield from zip(frames, self.frame_features(video, frames), strict=True)


def first_label_map(video: VideoSample, index: int) -> np.ndarray:
    """``(H, W)`` labels that a tracker may read in a frame; zeros where none."""
    if index in video.first_label_frames:
        return video.read_labels(index).indices
    return np.zeros(video.size, np.uint8)


def given_joints(video: VideoSample) -> np.ndarray:
    """``(j, 2)`` joints that a tracker may read.

    Raises:
        ValueError: the video has none in frame 0.
    """
    if video.read_joints is None or video.first_label_frames[:1] != (0,):
        raise ValueError(
            f'video {video.name!r} has no joints in frame 0; there is nothing to '
            'propagate.'
        )
    return video.read_joints(0)


def results_of(model: Any, video: VideoSample) -> Iterator[FrameResult | JointResult]:
    """What a tracker says about a video, by what the video has."""
    follow = model.track if video.read_joints is None else model.track_joints
    return follow(video)


def objects_of(
    video: VideoSample, seen_in: Callable[[np.ndarray], np.ndarray] = np.asarray
) -> tuple[list[int], dict[int, set[int]]]:
    """All ids of a video (background first), and the frame that first shows each.

    Background counts as known from the first frame with labels on.

    Args:
        video: the video.
        seen_in: label map of the video to the one whose numbers are the ids.

    Raises:
        ValueError: the first labels hold no object.
    """
    seen: set[int] = set()
    new_in: dict[int, set[int]] = {}
    for index in video.first_label_frames:
        label_map = seen_in(video.read_labels(index).indices)
        found = {int(n) for n in np.unique(label_map)}
        if not seen:
            found.add(0)
        if found - seen:
            new_in[index] = found - seen
        seen |= found
    if not seen - {0}:
        raise ValueError(
            f'video {video.name!r} has no object in its first labels; there is nothing '
            'to propagate. Give a first label map with at least one object.'
        )
    return sorted(seen), new_in
