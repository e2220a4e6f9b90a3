"""DUL's clips: frames that spread over a window of the video."""

from __future__ import annotations

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count
from densecorr.registry import TASK_UTILS


def spread_offsets(
    total: int, num_frames: int, gap: int, even: bool = False
) -> tuple[np.ndarray, int]:
    """Distances from the first frame of a clip, and the largest start.

    With the window V = min(total, gap * num_frames) and T = num_frames, frame i is

    - i * floor(V / T) frames behind the first; the start is in [0, total - 1 - the last
      offset];
    - floor(i * V / T) frames behind it where ``even``; the start is in [0, total - V].

    Returns:
        ``(t,)`` int64 offsets, ascending, and the largest start.
    """
    window = min(total, gap * num_frames)
    steps = np.arange(num_frames, dtype=np.int64)
    if even:
        return steps * window // num_frames, total - window
    offsets = steps * (window // num_frames)
    return offsets, total - 1 - int(offsets[-1])


@TASK_UTILS.register_module()
class DULSampler(ClipSampler):
    """Frames of a window of gap * num_frames frames, in random order.

    The window is the whole video where that is shorter. The start is uniform; offsets
    and ranges: :func:`spread_offsets`. Frame 0 of the clip is the reference frame, so
    with ``permute`` the anchors come from a random one.

    Args:
        num_frames: frames of a clip.
        gap: distance of neighbours in time: 2 for YouTube-VOS' list of every fifth
            frame, 10 for OxUvA, TrackingNet and Kinetics-400.
        even: spread the frames evenly where the window is no multiple of num_frames,
            and repeat frames of videos shorter than the clip. The published Kinetics
            training does; otherwise the shortest video has num_frames frames.
        permute: random order. False is ascending order, as in the published Kinetics
            training.

    Reference: Araslanov, Schaub-Meyer, Roth, NeurIPS 2021, arXiv:2111.06265. Official:
    visinf/dense-ulearn-vos (88e5e35), the readers of frame lists and of folders.

    Note:
        Official: lists of frames are ``even=False, permute=True``, Kinetics' list of
        folders is ``even=True, permute=False``.
    """

    def __init__(
        self,
        num_frames: int = 5,
        gap: int = 10,
        even: bool = False,
        permute: bool = True,
    ) -> None:
        self.num_frames = check_count(self, 'num_frames', num_frames)
        self.gap = check_count(self, 'gap', gap)
        self.even, self.permute = even, permute
        self.min_frames = 1 if even else self.num_frames

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        offsets, max_start = spread_offsets(total, self.num_frames, self.gap, self.even)
        start = int(rng.integers(max_start, endpoint=True))
        if self.permute:
            offsets = offsets[rng.permutation(self.num_frames)]
        return start + offsets
