"""SMTC's clips: frames around a drawn centre, at a gap that short videos lower."""

from __future__ import annotations

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count, spaced
from densecorr.registry import TASK_UTILS


def center_range(total: int, num_frames: int, gap: int) -> tuple[int, int]:
    """Smallest and largest centre, both included; none where the first is larger."""
    half = gap * num_frames // 2
    return half, total - half - 1


def centered_gap(
    total: int, num_frames: int, gap: int, lower_once: bool = False
) -> int:
    """The gap that is used in a video of ``total`` frames.

    The gap is lowered by one where at most one centre is possible. Where none is
    possible then, it is lowered further, to at least 1.

    Args:
        total: frames of the video.
        num_frames: frames of the clip.
        gap: the wanted distance of neighbours in frames.
        lower_once: lower the gap once at most, even to 0, as the official code does.
    """
    low, high = center_range(total, num_frames, gap)
    if low >= high and (lower_once or gap > 1):
        gap -= 1
    while not lower_once and gap > 1:
        low, high = center_range(total, num_frames, gap)
        if low <= high:
            break
        gap -= 1
    return gap


def centered_frames(center: int, num_frames: int, gap: int) -> np.ndarray:
    """``(t,)`` int64 frame numbers center + gap * (i - floor(t / 2))."""
    return spaced(center - gap * (num_frames // 2), num_frames, gap)


@TASK_UTILS.register_module()
class SMTCSampler(ClipSampler):
    """Frames at a gap of ``gap``, ascending, around a uniformly drawn centre.

    Frame floor(num_frames / 2) of the clip is the centre c, uniform in
    [h, total - h - 1] with h = floor(gap * num_frames / 2): the frames of the default
    clip are c - 8, c - 4, c, c + 4. Short videos lower the gap (:func:`centered_gap`);
    the shortest one has 2 * floor(num_frames / 2) + 1 frames.

    Args:
        num_frames: frames of a clip.
        gap: distance of neighbouring frames.
        lower_once: lower the gap by one at most; then the shortest video is longer, 13
            frames by default.

    Reference: arXiv:2308.09951, ICCV 2023 ("Semantics Meets Temporal Correspondence").
    Official: shvdiwnkozbw/SMTC, training data.

    Note:
        Where the gap lowered by one does not fit, the official code fails:
        ``lower_once``. It draws the video of each clip anew; that is up to the dataset.
    """

    def __init__(
        self, num_frames: int = 4, gap: int = 4, lower_once: bool = False
    ) -> None:
        self.num_frames = check_count(self, 'num_frames', num_frames)
        self.gap = check_count(self, 'gap', gap)
        self.lower_once = lower_once
        least_gap = self.gap - 1 if lower_once else 1
        self.min_frames = 2 * (least_gap * self.num_frames // 2) + 1

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        gap = centered_gap(total, self.num_frames, self.gap, self.lower_once)
        low, high = center_range(total, self.num_frames, gap)
        center = int(rng.integers(low, high, endpoint=True))
        return centered_frames(center, self.num_frames, gap)

    def _remedy(self) -> str:
        if self.lower_once:
            return 'a lower num_frames or gap, or lower_once=False'
        return super()._remedy()
