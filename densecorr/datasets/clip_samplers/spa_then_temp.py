"""Spa-then-Temp's clips: two neighbouring frames."""

from __future__ import annotations

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count, spaced
from densecorr.registry import TASK_UTILS

_NUM_FRAMES = 2


@TASK_UTILS.register_module()
class SpaThenTempSampler(ClipSampler):
    """A frame and the one ``gap`` later: the reference, then the target.

    The first is uniform in [0, total - 1 - gap]; the shortest video has gap + 1 frames.

    Args:
        gap: 1 for neighbours of a list. The published list of YouTube-VOS has every
            fifth frame: give 5 where all frames are listed.

    Reference: Li, Liu, CVPR 2023 (Spa-then-Temp), step 2. Official:
    qianduoduolr/Spa-then-Temp (4c94362), YouTube-VOS of the training config.
    """

    def __init__(self, gap: int = 1) -> None:
        self.gap = check_count(self, 'gap', gap)
        self.num_frames, self.min_frames = _NUM_FRAMES, self.gap + 1

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        start = int(rng.integers(total - self.gap))
        return spaced(start, self.num_frames, self.gap)

    def _remedy(self) -> str:
        return 'a lower gap' if self.gap > 1 else 'no option makes one of one frame'
