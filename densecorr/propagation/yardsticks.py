"""Trackers that a score is compared with: no network can be judged without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.ops.size_policy import SizePlan
from densecorr.registry import MODELS
from densecorr.structures import FrameResult, JointResult, VideoSample

from .frames import FrameInput
from .protocol import Protocol
from .tracker import VideoTracker, first_label_map, given_joints, objects_of


@MODELS.register_module()
class LabelCeiling(nn.Module):
    """The true labels of each frame, encoded on the feature grid and decoded again.

    What this loses, no features of that stride can keep under this protocol. It reads
    all labels (or joints) of a video; a frame without repeats the result before it.

    Args:
        stride: of the features in pixels.
        protocol: one task of a protocol, see :class:`Protocol`.
        any_size: the network takes any size, otherwise multiples of ``stride``.

    Reads ``label_frames``, ``first_label_frames``, and ``read_labels`` or
    ``read_joints`` of a :class:`VideoSample`.
    """

    def __init__(
        self, stride: int, protocol: Mapping[str, Any], any_size: bool = True
    ) -> None:
        super().__init__()
        self.stride, self.protocol = stride, Protocol.from_config(protocol)
        self.inputs = FrameInput(
            size=self.protocol.size,
            resizer=self.protocol.resizer,
            multiple=1 if any_size else stride,
        )

    def track(self, video: VideoSample) -> Iterator[FrameResult]:
        """Label maps of all frames, in order."""
        plan, codec = self.inputs.plan(*video.size), self.protocol.label_codec()
        grid = self._grid(plan)
        ids, _ = objects_of(video, lambda labels: codec.seen(labels, plan))
        result = np.zeros(video.size, np.uint8)
        for index in range(video.num_frames):
            if index in video.label_frames:
                label_map = video.read_labels(index).indices
                soft = codec.to_soft(label_map, ids, plan, grid)
                result = codec.to_labels(soft, ids, plan)
            yield FrameResult(index, result)

    def track_joints(self, video: VideoSample) -> Iterator[JointResult]:
        """Joints of all frames, in order."""
        plan, codec = self.inputs.plan(*video.size), self.protocol.joint_codec()
        result = np.full_like(given_joints(video), np.nan)
        for index in range(video.num_frames):
            if index in video.label_frames and video.read_joints is not None:
                given = video.read_joints(index)
                soft = codec.to_soft(given, plan, self._grid(plan))
                first = index == 0
                result = (
                    codec.first_joints(given, soft, plan)
                    if first
                    else codec.to_joints(soft, plan)
                )
            yield JointResult(index, result)

    def _grid(self, plan: SizePlan) -> tuple[int, int]:
        """(h, w) of the features."""
        height, width = plan.input_size
        stride = self.protocol.label_stride or self.stride
        return -(-height // stride), -(-width // stride)


@MODELS.register_module()
class FirstLabelsCopied(nn.Module):
    """The first labels in every frame: the score of not tracking at all.

    Labels of later first-label frames are painted over from there on.
    """

    def track(self, video: VideoSample) -> Iterator[FrameResult]:
        """Label maps of all frames, in order."""
        _, new_in = objects_of(video)
        result = np.zeros(video.size, np.uint8)
        for index in range(video.num_frames):
            if new := new_in.get(index, set()) - {0}:
                label_map = first_label_map(video, index)
                fresh = np.isin(label_map, sorted(new))
                result = np.where(fresh, label_map, result)
            yield FrameResult(index, result)

    def track_joints(self, video: VideoSample) -> Iterator[JointResult]:
        """Joints of all frames, in order."""
        joints = given_joints(video)
        yield from (JointResult(index, joints) for index in range(video.num_frames))


@MODELS.register_module()
class PointTracker(VideoTracker):
    """Propagation with perfect features, on generated videos.

    Args:
        stride: of the features in pixels.
        protocol: one task of a protocol. Points of a frame that it resizes are taken
            at the nearest pixel; one that it pads is refused.
        limits: see :class:`VideoTracker`.
    """

    def __init__(
        self,
        stride: int,
        protocol: Mapping[str, Any],
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        backbone = dict(type='PointEmbedding', stride=stride)
        super().__init__(backbone, {}, protocol, limits)

    @torch.no_grad()
    def frame_features(self, video: VideoSample, frames: Sequence[int]) -> Tensor:
        """Features of the material points.

        Raises:
            ValueError: the video does not know its points, or would be padded.
        """
        plan = self.inputs.plan(*video.size)
        if video.read_points is None or any(plan.pad):
            raise ValueError(
                f'video {video.name!r} has no material points at the size '
                f'{plan.input_size} of the network. Perfect features need a generated '
                'video (dataset SpriteWorld) and a protocol that does not pad its '
                f'size {video.size}.'
            )
        points = [
            _resize_points(video.read_points(index), plan.resized_size)
            for index in frames
        ]
        maps = self.backbone(torch.stack(points).permute(0, 3, 1, 2))[-1]
        return self.to_label_grid(maps, plan.input_size)


def _resize_points(points: np.ndarray, size: tuple[int, int]) -> Tensor:
    """``(H, W, 3)`` points to ``size``, each from the pixel below its centre."""
    rows, cols = (
        (2 * np.arange(to) + 1) * side // (2 * to)
        for side, to in zip(points.shape[:2], size, strict=True)
    )
    return torch.from_numpy(points[rows[:, None], cols])


@MODELS.register_module()
class NoiseTracker(VideoTracker):
    """Propagation with features that know nothing: noise, new in every frame.

    Args:
        stride: of the features in pixels.
        protocol: one task of a protocol.
        channels: of the features.
        seed: of the noise; that of a frame depends on the seed and its number only.
        limits: see :class:`VideoTracker`.
    """

    def __init__(
        self,
        stride: int,
        protocol: Mapping[str, Any],
        channels: int = 64,
        seed: int = 0,
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(dict(type='RawColors', stride=stride), {}, protocol, limits)
        self.channels, self.seed = channels, seed

    def frame_features(self, video: VideoSample, frames: Sequence[int]) -> Tensor:
        """``(b, c, h, w)`` normal noise."""
        stride = self.grid_stride
        height, width = self.inputs.plan(*video.size).input_size
        shape = (self.channels, -(-height // stride), -(-width // stride))
        draws = [
            np.random.default_rng((self.seed, index)).standard_normal(shape, np.float32)
            for index in frames
        ]
        return torch.from_numpy(np.stack(draws))
