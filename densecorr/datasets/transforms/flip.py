"""Mirror the frames of a clip."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from densecorr.datasets.transforms.base import (
    ClipTransform,
    check_probability,
    draw_rows,
)
from densecorr.registry import TRANSFORMS

LEFT_RIGHT = 1  # OpenCV's code of a flip around the vertical axis


@TRANSFORMS.register_module()
class ClipRandomFlip(ClipTransform):
    """Exchange left and right. Reads and writes ``frames``.

    Args:
        prob: how often.
        per_frame: decide for every frame instead of once for the clip.

    Raises:
        ValueError: ``prob`` is not in [0, 1].
    """

    def __init__(self, prob: float = 0.5, per_frame: bool = False) -> None:
        self.prob = check_probability('prob of ClipRandomFlip', prob)
        self.per_frame = per_frame

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``flips`` (t,) bool."""
        rows = draw_rows(rng.random, len(sample['frames']), self.per_frame)
        return dict(flips=np.array(rows) < self.prob)

    def apply(self, sample: dict[str, Any], flips: np.ndarray) -> dict[str, Any]:
        """Mirror frame i where ``flips[i]``."""
        if not any(flips):
            return dict(sample)
        frames = [
            cv2.flip(frame, LEFT_RIGHT) if flip else frame
            for frame, flip in zip(self.frames(sample), flips, strict=True)
        ]
        return {**sample, 'frames': frames}
