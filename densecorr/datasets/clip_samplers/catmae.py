"""CatMAE's clips: three frames at two random gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count
from densecorr.registry import TASK_UTILS

_NUM_FRAMES = 3


def longest_span(gaps: Sequence[Sequence[int]]) -> int:
    """Frames from the first to the last frame of a clip at the largest gaps."""
    return sum(high for _, high in gaps) + 1


def triplet_frames(
    total: int, span: int, draws: np.ndarray, reverse: bool = False
) -> np.ndarray:
    """Three frames of a video.

    Args:
        total: frames of the video.
        span: :func:`longest_span` of the gaps.
        draws: ``(3,)`` int64: start and the two gaps where total >= span; otherwise
            three distinct frame numbers in any order.
        reverse: later frames first.

    Returns:
        ``(3,)`` int64 frame numbers, ascending, or descending with ``reverse``.
    """
    frames = np.cumsum(draws) if total >= span else np.sort(draws)
    return frames[::-1].copy() if reverse else frames


@TASK_UTILS.register_module()
class CatMAESampler(ClipSampler):
    """Three frames, ascending, at two gaps that are drawn from ``gaps``.

    The gaps are uniform whole numbers; the start is uniform in [0, total - s] where s
    is the span of the largest gaps (97 frames by default), so that every pair of gaps
    fits. Videos of fewer than s frames give three distinct frames.

    Args:
        gaps: lowest and highest first gap, lowest and highest second gap, ends
            included.
        reverse: every second clip of a video runs backwards (ViRe): those of odd
            ``visit``. With two clips per video and epoch each video is seen once
            forwards and once backwards in an epoch.

    Reference: Jiang et al., arXiv:2311.00961. Official: minhoooo1/CatMAE (0fb1f60)
    ``kinetics_dataset.py``; the published weights are named ViRe, the published configs
    have it off.

    Note:
        The official code reverses the odd indices of a dataset that repeats each video
        R times, which is the same for R = 2. For odd R it always reverses the same
        videos; here every video alternates.
    """

    def __init__(
        self,
        gaps: Sequence[Sequence[int]] = ((4, 48), (4, 48)),
        reverse: bool = False,
    ) -> None:
        if len(gaps) != _NUM_FRAMES - 1 or any(len(pair) != 2 for pair in gaps):
            raise ValueError(
                'gaps of CatMAESampler should be two pairs (lowest, highest), for '
                f'example ((4, 48), (4, 48)), not {gaps!r}.'
            )
        for low, high in gaps:
            check_count(self, 'the lowest gap', low)
            check_count(self, f'the highest gap above {low}', high, low)
        self.gaps = tuple((int(low), int(high)) for low, high in gaps)
        self.reverse = reverse
        self.num_frames = self.min_frames = _NUM_FRAMES

    def draw(
        self,
        rng: np.random.Generator,
        total: int,
        fps: float | None = None,
        visit: int | None = None,
    ) -> np.ndarray:
        """Draw a clip, see :meth:`ClipSampler.draw`.

        Raises:
            ValueError: the video is too short, or ``reverse`` without ``visit``.
        """
        frames = super().draw(rng, total, fps)
        if not self.reverse:
            return frames
        if visit is None:
            raise ValueError(
                'CatMAESampler with reverse=True turns every second clip of a video '
                'around, but the dataset does not say which clip this is. Pass '
                'visit=epoch * clips_per_video + number of the clip to draw().'
            )
        return frames[::-1].copy() if visit % 2 else frames

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        span = longest_span(self.gaps)
        if total < span:
            draws = rng.choice(total, _NUM_FRAMES, replace=False)
        else:
            start = rng.integers(total - span, endpoint=True)
            gaps = [rng.integers(low, high, endpoint=True) for low, high in self.gaps]
            draws = np.array([start, *gaps])
        return triplet_frames(total, span, draws)

    def _remedy(self) -> str:
        return 'no option makes one of fewer than three frames'
