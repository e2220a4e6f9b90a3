"""Show the frames of a clip several times."""

from __future__ import annotations

from typing import Any

import numpy as np

from densecorr.datasets.transforms.base import ClipTransform
from densecorr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipRepeat(ClipTransform):
    """The clip several times over: views, which later ``per_frame`` transforms draw.

    Reads and writes ``frames`` and, where there are any, ``frame_indices``: t frames
    become times * t. Pixels are not copied.

    Args:
        times: at least 1.

    Raises:
        ValueError: ``times`` is below 1.
    """

    def __init__(self, times: int = 2) -> None:
        if times < 1:
            raise ValueError(f'times of ClipRepeat is {times}; give at least 1.')
        self.times = times

    def apply(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Repeat."""
        repeated = dict(sample, frames=[*self.frames(sample)] * self.times)
        if 'frame_indices' in sample:
            repeated['frame_indices'] = np.tile(sample['frame_indices'], self.times)
        return repeated
