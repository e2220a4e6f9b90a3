"""Take the colour from a clip at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from densecorr.datasets.transforms import color
from densecorr.datasets.transforms.base import (
    ClipTransform,
    check_probability,
    draw_rows,
)
from densecorr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipRandomGray(ClipTransform):
    """Three equal channels of luma instead of colour. Reads and writes ``frames``.

    Args:
        prob: how often.
        per_frame: decide for every frame instead of once for the clip.
        engine: ``'opencv'`` or ``'pillow'``; they differ by a grey level at most.
    """

    def __init__(
        self, prob: float = 0.2, per_frame: bool = False, engine: str = 'opencv'
    ) -> None:
        color.check_engine(engine)
        self.prob = check_probability('prob of ClipRandomGray', prob)
        self.per_frame, self.engine = per_frame, engine

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``applied`` (t,) bool."""
        rows = draw_rows(rng.random, len(sample['frames']), self.per_frame)
        return dict(applied=np.array(rows) < self.prob)

    def apply(self, sample: dict[str, Any], applied: np.ndarray) -> dict[str, Any]:
        """Grey frame i where ``applied[i]``."""
        if not any(applied):
            return dict(sample)
        frames = [
            color.gray(frame, self.engine) if change else frame
            for frame, change in zip(self.frames(sample), applied, strict=True)
        ]
        return {**sample, 'frames': frames}
