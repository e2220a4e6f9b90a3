"""Trackers that a score is compared with: no network can be judged without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.registry import MODELS
from densecorr.structures import FrameResult, VideoSample

from .frames import FrameInput
from .protocol import Protocol
from .tracker import VideoTracker, first_label_map, objects_of


@MODELS.register_module()
class LabelCeiling(nn.Module):
    """The true labels of each frame, encoded on the feature grid and decoded again.

    What this loses, no features of that stride can keep under this protocol. It reads
    all labels of a video; a frame without labels repeats the result before it.

    Args:
        stride: of the features in pixels.
        protocol: one task of a protocol, see :class:`Protocol`.
        any_size: the network takes any size, otherwise multiples of ``stride``.

    Reads ``label_frames``, ``read_labels``, ``first_label_frames`` of a
    :class:`VideoSample`.
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
        plan, codec = self.inputs.plan(*video.size), self.protocol.labels
        height, width = plan.input_size
        grid = (-(-height // self.stride), -(-width // self.stride))
        ids, _ = objects_of(video)
        result = np.zeros(video.size, np.uint8)
        for index in range(video.num_frames):
            if index in video.label_frames:
                label_map = video.read_labels(index).indices
                soft = codec.to_soft(label_map, ids, plan, grid)
                result = codec.to_labels(soft, ids, plan)
            yield FrameResult(index, result)


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


@MODELS.register_module()
class PointTracker(VideoTracker):
    """Propagation with perfect features, on generated videos.

    Args:
        stride: of the features in pixels.
        protocol: one task of a protocol; its size rule should keep the frames as they
            are, since material points cannot be resized.
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
            ValueError: the video does not know its points, or would be resized.
        """
        plan = self.inputs.plan(*video.size)
        if video.read_points is None or not plan.native:
            raise ValueError(
                f'video {video.name!r} has no material points at the size '
                f'{plan.input_size} of the network. Perfect features need a generated '
                'video (dataset SpriteWorld) and a protocol that keeps its size '
                f'{video.size}.'
            )
        points = [torch.from_numpy(video.read_points(index)) for index in frames]
        return self.backbone(torch.stack(points).permute(0, 3, 1, 2))[-1]


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
        stride = self.backbone.stride
        height, width = self.inputs.plan(*video.size).input_size
        shape = (self.channels, -(-height // stride), -(-width // stride))
        draws = [
            np.random.default_rng((self.seed, index)).standard_normal(shape, np.float32)
            for index in frames
        ]
        return torch.from_numpy(np.stack(draws))
