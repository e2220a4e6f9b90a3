"""TimeT's clips: random, consecutive or regular frames, or all of them."""

from __future__ import annotations

import numpy as np

from densecorr.datasets.clip_samplers.base import ClipSampler, check_count, spaced
from densecorr.datasets.clip_samplers.gap import fitting_gap
from densecorr.registry import TASK_UTILS
from densecorr.utils.suggest import suggest

MODES = ('uniform', 'dense', 'regular', 'full')


def run_of_frames(mode: str, total: int, num_frames: int, step: int) -> tuple[int, int]:
    """Distance of neighbours and largest start of the modes that draw a start.

    Args:
        mode: ``'dense'``: consecutive frames; ``'regular'``: every ``step``-th, the
            step lowered until the clip fits (:func:`fitting_gap`).
        total: frames of the video, at least ``num_frames``.
        num_frames: frames of the clip.
        step: distance of neighbours in mode ``'regular'``.
    """
    return fitting_gap(total, num_frames, 1 if mode == 'dense' else step)


@TASK_UTILS.register_module()
class TimeTSampler(ClipSampler):
    """Frames in ascending order, drawn in one of four ways.

    - ``'uniform'``: num_frames distinct frames of the whole video; with repetition
      where the video is shorter. The training of the paper.
    - ``'dense'``: consecutive frames from a uniform start.
    - ``'regular'``: every ``step``-th frame from a uniform start in
      [0, total - num_frames * step]; the step is lowered until the clip fits.
    - ``'full'``: every frame of the video, nothing is drawn; ``num_frames`` is 0.

    Args:
        num_frames: frames of a clip; not used in mode ``'full'``. The shortest video
            has as many in modes ``'dense'`` and ``'regular'``, one frame otherwise.
        mode: one of the four.
        step: distance of neighbours in mode ``'regular'``.

    Reference: Salehi et al., ICCV 2023, arXiv:2308.11796. Official: SMSD75/Timetuning
    (94550b5), which trains with ``'uniform'``; the authors' later version with
    ``'dense'``.
    """

    def __init__(
        self, num_frames: int = 4, mode: str = 'uniform', step: int = 1
    ) -> None:
        if mode not in MODES:
            raise ValueError(
                f'mode {mode!r} of TimeTSampler is not known. {suggest(mode, MODES)}'
            )
        num_frames = check_count(self, 'num_frames', num_frames)
        self.mode, self.step = mode, check_count(self, 'step', step)
        self.num_frames = 0 if mode == 'full' else num_frames
        self.min_frames = num_frames if mode in ('dense', 'regular') else 1

    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        if self.mode == 'full':
            return np.arange(total, dtype=np.int64)
        if self.mode == 'uniform':
            repeat = total < self.num_frames
            return np.sort(rng.choice(total, self.num_frames, replace=repeat))
        step, max_start = run_of_frames(self.mode, total, self.num_frames, self.step)
        start = int(rng.integers(max_start, endpoint=True))
        return spaced(start, self.num_frames, step)
