"""Frames at a fixed number per second, whatever the rate of the video."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count
from densecorr.registry import TASK_UTILS


def resampled_length(total: int, fps: float, rate: float) -> int:
    """Frames of a video after resampling, see :func:`resampled_frames`."""
    step = fps / rate
    if step.is_integer():
        return math.ceil(total / step)
    return math.floor(total * rate / fps)


def resampled_frames(
    total: int, fps: float, rate: float, start: int, num_frames: int
) -> np.ndarray:
    """Part of a video that is resampled to another rate.

    Resampled frame i is frame floor(i * fps / rate) of the video. Frames repeat where
    the video has fewer per second than ``rate``.

    Args:
        total: frames of the video.
        fps: frames per second of the video.
        rate: frames per second of the clip.
        start: number of the first resampled frame.
        num_frames: frames of the clip.

    Returns:
        ``(t,)`` int64 frame numbers of the video, ascending.

    Note:
        Products are float32, as in torchvision: a frame may be the one before the exact
        quotient.
    """
    step = fps / rate
    numbers = np.arange(start, start + num_frames, dtype=np.int64)
    if step.is_integer():
        return numbers * int(step)
    frames = np.floor(numbers.astype(np.float32) * np.float32(step)).astype(np.int64)
    return np.minimum(frames, total - 1)  # float32 may round up to the length


@TASK_UTILS.register_module()
class FixedRateSampler(ClipSampler):
    """``num_frames`` frames at ``rate`` per second, ascending, from a uniform start.

    The video is resampled to ``rate`` frames per second; every window of num_frames
    resampled frames is equally likely.

    Args:
        num_frames: frames of a clip; also the length of the shortest video, longer
            where the video has more than ``rate`` frames per second
            (:meth:`min_frames_at`).
        rate: frames per second of the clip.
        default_fps: rate of videos that have none (folders of frames). None makes such
            a video an error.

    Reference: Jabri, Owens, Efros, NeurIPS 2020, arXiv:2006.14613, Kinetics-400.
    Official: ajabri/videowalk ``code/data/kinetics.py`` (047f3f4) with torchvision's
    ``VideoClips.compute_clips_for_video``.

    Note:
        The official sampler draws the clips of one video and epoch without repetition;
        here they are independent. It takes videos of fewer than num_frames frames if
        their rate is below ``rate``.
    """

    def __init__(
        self, num_frames: int = 4, rate: float = 8.0, default_fps: float | None = None
    ) -> None:
        self.num_frames = check_count(self, 'num_frames', num_frames)
        self.rate = self._check_rate('rate', rate)
        self.default_fps = default_fps
        if default_fps is not None:
            self.default_fps = self._check_rate('default_fps', default_fps)
        self.min_frames = self.num_frames

    def min_frames_at(self, fps: float | None = None) -> int:
        """Frames of the shortest video of this frame rate that is taken.

        Raises:
            ValueError: there is neither ``fps`` nor ``default_fps``, or it is not above
                0.
        """
        fps = self._fps(fps)
        least = max(
            self.num_frames, math.floor((self.num_frames - 1) * fps / self.rate)
        )
        while resampled_length(least, fps, self.rate) < self.num_frames:
            least += 1
        return least

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        fps = self._fps(fps)
        starts = resampled_length(total, fps, self.rate) - self.num_frames + 1
        start = int(rng.integers(starts))
        return resampled_frames(total, fps, self.rate, start, self.num_frames)

    def _fps(self, fps: float | None) -> float:
        if fps is not None:
            return self._check_rate('fps', fps)
        if self.default_fps is None:
            raise ValueError(
                'FixedRateSampler needs a frame rate, and this video has none, as '
                'folders of frames do not. Give the sampler default_fps=..., or take '
                'GapSampler, which counts frames.'
            )
        return self.default_fps

    def _check_rate(self, name: str, value: float) -> float:
        if not isinstance(value, Real) or not 0 < value < math.inf:
            raise ValueError(
                f'{name} of FixedRateSampler should be a number of frames per second '
                f'above 0, not {value!r}.'
            )
        return float(value)

    def _remedy(self) -> str:
        return 'a lower num_frames or a higher rate'
