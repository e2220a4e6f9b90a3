"""Blur a clip at random."""

from __future__ import annotations

from typing import Any

import numpy as np

from densecorr.datasets.transforms import color
from densecorr.datasets.transforms.base import (
    ClipTransform,
    check_probability,
    check_range,
    draw_rows,
)
from densecorr.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipGaussianBlur(ClipTransform):
    """Gaussian blur of random strength. Reads and writes ``frames``.

    Args:
        sigma: range of the standard deviation in pixels.
        prob: how often a clip is blurred, or a frame.
        per_frame: draw a sigma for every frame instead of one for the clip.
        kernel_size: odd side of OpenCV's kernel, for example 25 with sigma up to 2
            (SMTC); None: 4 sigma to both sides.
        engine: ``'opencv'`` or ``'pillow'`` (its GaussianBlur of this radius).
        decide_per_frame: draw for every frame whether it is blurred, instead of once
            for the clip.

    Raises:
        ValueError: a value is out of range or unknown.
    """

    def __init__(
        self,
        sigma: tuple[float, float] = (0.1, 2.0),
        prob: float = 0.5,
        per_frame: bool = False,
        kernel_size: int | None = None,
        engine: str = 'opencv',
        decide_per_frame: bool = False,
    ) -> None:
        color.check_engine(engine)
        if kernel_size is not None and (kernel_size < 1 or kernel_size % 2 == 0):
            raise ValueError(f'kernel_size is {kernel_size}, it must be odd.')
        if kernel_size is not None and engine == 'pillow':
            raise ValueError(
                f'kernel_size={kernel_size} needs engine="opencv"; Pillow has none.'
            )
        self.sigma = check_range('sigma', sigma, 0)
        if self.sigma[0] == 0:
            raise ValueError(f'sigma should begin above 0, not {tuple(sigma)}.')
        self.prob = check_probability('prob of ClipGaussianBlur', prob)
        self.per_frame, self.engine = per_frame, engine
        self.kernel_size, self.decide_per_frame = kernel_size, decide_per_frame

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """``sigmas`` (t,) pixels; 0: no blur."""
        t, (low, high) = len(sample['frames']), self.sigma
        applied = np.array(draw_rows(rng.random, t, self.decide_per_frame)) < self.prob
        rows = draw_rows(lambda: low + (high - low) * rng.random(), t, self.per_frame)
        return dict(sigmas=np.array(rows) * applied)

    def apply(self, sample: dict[str, Any], sigmas: np.ndarray) -> dict[str, Any]:
        """Blur frame i by ``sigmas[i]``."""
        if not any(sigmas):
            return dict(sample)
        frames = [
            color.gaussian_blur(frame, float(sigma), self.engine, self.kernel_size)
            if sigma
            else frame
            for frame, sigma in zip(self.frames(sample), sigmas, strict=True)
        ]
        return {**sample, 'frames': frames}
