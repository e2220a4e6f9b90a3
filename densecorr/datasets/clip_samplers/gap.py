"""Frames at a fixed gap that is lowered in short videos."""

from __future__ import annotations

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count, spaced
from densecorr.registry import TASK_UTILS


def fitting_gap(total: int, num_frames: int, gap: int) -> tuple[int, int]:
    """The largest gap that fits, and the largest start.

    Args:
        total: frames of the video, at least ``num_frames``.
        num_frames: frames of the clip.
        gap: the wanted distance of neighbours in frames.

    Returns:
        The largest g <= gap with num_frames * g <= total, and
        total - num_frames * g. The last frame of a clip keeps g frames behind it, so
        the video's last frames (g - 1 of them) are drawn by no start.
    """
    gap = min(gap, total // num_frames)
    return gap, total - num_frames * gap


@TASK_UTILS.register_module()
class GapSampler(ClipSampler):
    """Frames at a gap of ``gap``, ascending, from a uniformly drawn start.

    In a video of fewer than num_frames * gap frames the gap is lowered until the clip
    fits. The start is uniform in [0, total - num_frames * gap].

    Args:
        num_frames: frames of a clip; the shortest video has as many.
        gap: distance of neighbouring frames.

    Reference: Jabri, Owens, Efros, NeurIPS 2020, arXiv:2006.14613. Official:
    ajabri/videowalk ``code/data/video.py`` ``VideoList`` (047f3f4): lists of folders.

    Note:
        A video shorter than the clip is an error here; the official reader lowers the
        gap to 0, repeats one frame, and may take one beyond the last.
    """

    def __init__(self, num_frames: int = 4, gap: int = 8) -> None:
        self.num_frames = check_count(self, 'num_frames', num_frames)
        self.gap = check_count(self, 'gap', gap)
        self.min_frames = self.num_frames

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        gap, max_start = fitting_gap(total, self.num_frames, self.gap)
        start = int(rng.integers(max_start, endpoint=True))
        return spaced(start, self.num_frames, gap)
