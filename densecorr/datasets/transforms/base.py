"""What every clip transform is: numbers are drawn first, then applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

Drawn = TypeVar('Drawn')


class ClipTransform:
    """A step of a training pipeline: ``apply(sample, **draw(rng, sample))``.

    A sample is a dict of :mod:`densecorr.structures`. Its ``frames`` may also be a
    list of ``(H, W, 3)`` arrays, so that a reader need not copy them together.
    Subclasses write ``draw`` (if they are random) and ``apply``; neither changes its
    sample. What is drawn has one row per frame: equal rows where the draw is shared.
    """

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Draw from the sample's generator, then apply.

        Raises:
            KeyError: the sample has no ``rng``.
        """
        if 'rng' not in sample:
            raise KeyError(
                f'{type(self).__name__} draws from sample["rng"], which is missing '
                f'from {sorted(sample)}. Use it before PackClip.'
            )
        return self.apply(sample, **self.draw(sample['rng'], sample))

    def draw(self, rng: np.random.Generator, sample: dict[str, Any]) -> dict[str, Any]:
        """Plain numbers and arrays: the arguments of :meth:`apply`."""
        del rng, sample
        return {}

    def apply(self, sample: dict[str, Any], *_: Any, **drawn: Any) -> dict[str, Any]:
        """A new sample; arrays that do not change are shared with the old one."""
        raise NotImplementedError

    def frames(self, sample: dict[str, Any]) -> Sequence[np.ndarray]:
        """The frames of a sample.

        Raises:
            TypeError: they are not uint8 images ``(t, H, W, 3)``.
        """
        frames = sample['frames']
        for frame in frames:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise TypeError(
                    f'a frame of {sample.get("video")!r} is {frame.dtype} of shape '
                    f'{frame.shape}, {type(self).__name__} takes uint8 RGB of shape '
                    '(H, W, 3). Only PackClip comes after PatchGrid.'
                )
        return frames

    def frame_size(self, sample: dict[str, Any]) -> tuple[int, int]:
        """(H, W) of the frames."""
        height, width = self.frames(sample)[0].shape[:2]
        return height, width


def draw_rows(
    draw: Callable[[], Drawn], num_frames: int, per_frame: bool
) -> list[Drawn]:
    """One drawn value per frame: ``num_frames`` draws, or one that all share."""
    if per_frame:
        return [draw() for _ in range(num_frames)]
    return [draw()] * num_frames


def check_probability(name: str, value: float) -> float:
    """``value``, if it is in [0, 1].

    Raises:
        ValueError: it is not; ``name`` is in the text.
    """
    if not 0 <= value <= 1:
        raise ValueError(f'{name} should be in [0, 1], not {value}.')
    return float(value)


def check_range(
    name: str, value: Sequence[float], low: float, high: float = float('inf')
) -> tuple[float, float]:
    """``value`` as (smallest, largest), if both lie in [low, high] in this order.

    Raises:
        ValueError: they do not; ``name`` is in the text.
    """
    if len(value) != 2 or not low <= value[0] <= value[1] <= high:
        raise ValueError(
            f'{name} should be (smallest, largest) within [{low}, {high}], '
            f'not {tuple(value)}.'
        )
    return float(value[0]), float(value[1])
