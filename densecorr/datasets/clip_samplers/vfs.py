"""VFS's clips: one frame of each of equally long segments."""

from __future__ import annotations

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count
from densecorr.registry import TASK_UTILS


def segment_frames(total: int, uniform: np.ndarray) -> np.ndarray:
    """One frame of each segment.

    With N segments of a = floor((total + 1) / N) frames, segment i gives frame
    i * a + floor(u_i * a) modulo total. Where a = 0, i.e. total < N - 1, it gives
    round(i * (total + 1) / N) modulo total (halves to even).

    Args:
        total: frames of the video.
        uniform: ``(t,)`` draws u in [0, 1), one for each segment.

    Returns:
        ``(t,)`` int64 frame numbers.

    Note:
        The segments cover total + 1 frames: where N divides it, the last segment may
        give frame number total, which the modulo turns into frame 0. As in the official
        code.
    """
    num_segments = len(uniform)
    segments = np.arange(num_segments, dtype=np.int64)
    length = (total + 1) // num_segments
    if length > 0:
        frames = segments * length + np.floor(uniform * length).astype(np.int64)
    else:
        frames = np.around(segments * ((total + 1) / num_segments)).astype(np.int64)
    return frames % total


@TASK_UTILS.register_module()
class VFSSampler(ClipSampler):
    """One uniformly drawn frame of each of ``num_frames`` segments of the video.

    The method compares ``num_clips`` groups of neighbouring segments: frames
    ``[:clip_len]`` are the first group, the next ``clip_len`` the second. Frames
    ascend, but for the last one, which may wrap around to frame 0
    (:func:`segment_frames`). Videos of fewer than num_frames - 1 frames repeat frames.

    Args:
        num_frames: segments: 8 for the published ResNet-18 ("1xNx8"), 2 for ResNet-50
            ("1xNx2").
        num_clips: groups; divides ``num_frames``.

    Attributes:
        clip_len: frames of a group.

    Reference: Xu, Wang, ICCV 2021, arXiv:2103.17263. Official: xvjiarui/VFS (8e055cc),
    ``SampleFrames`` with clip_len 1 and frame_interval 0.
    """

    def __init__(self, num_frames: int = 8, num_clips: int = 2) -> None:
        self.num_frames = check_count(self, 'num_frames', num_frames)
        self.num_clips = check_count(self, 'num_clips', num_clips)
        if self.num_frames % self.num_clips:
            raise ValueError(
                f'num_frames={num_frames} of VFSSampler is not a multiple of '
                f'num_clips={num_clips}. Give each group as many frames.'
            )
        self.clip_len = self.num_frames // self.num_clips
        self.min_frames = 1

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        return segment_frames(total, rng.random(self.num_frames))
