"""The form of a clip sampler: which frames of a video make a clip."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class ClipSampler(ABC):
    """Draws the frames of a clip.

    Equal arguments and equal states of the generator give equal clips.

    Attributes:
        num_frames: frames of a clip, t; 0 where a clip is the whole video.
        min_frames: frames of the shortest video that is taken.
    """

    num_frames: int
    min_frames: int

    def min_frames_at(self, fps: float | None = None) -> int:
        """Frames of the shortest video of this frame rate that is taken.

        Args:
            fps: frames per second of the video, None where it has no rate.
        """
        del fps  # most samplers count frames, whatever their rate
        return self.min_frames

    def draw(
        self,
        rng: np.random.Generator,
        total: int,
        fps: float | None = None,
        visit: int | None = None,
    ) -> np.ndarray:
        """Draw a clip.

        Args:
            rng: the clip's generator.
            total: frames of the video.
            fps: frames per second of the video, None where it has no rate.
            visit: clips of this video that were drawn before this one in the whole
                training: epoch * clips per video + number of the clip in the epoch.

        Returns:
            ``(t,)`` int64 frame numbers, from 0.

        Raises:
            ValueError: the video is too short, or an argument is missing.
        """
        del visit  # the reversal of CatMAE reads it
        least = self.min_frames_at(fps)
        if total < least:
            raise ValueError(self._too_short(total, least, fps))
        return self._draw(rng, total, fps)

    @abstractmethod
    def _draw(
        self, rng: np.random.Generator, total: int, fps: float | None
    ) -> np.ndarray:
        """Draw from a video that is long enough."""

    def _too_short(self, total: int, least: int, fps: float | None) -> str:
        rate = '' if fps is None else f' at {fps:g} frames per second'
        return (
            f'{type(self).__name__} needs a video of at least {least} frames{rate}, '
            f'this one has {total}. Leave it out, or ask for a shorter clip: '
            f'{self._remedy()}.'
        )

    def _remedy(self) -> str:
        """The options that let shorter videos in."""
        return 'a lower num_frames'


def check_count(owner: object, name: str, value: int, least: int = 1) -> int:
    """A whole number of at least ``least``.

    Raises:
        ValueError: it is not.
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(
            f'{name} of {type(owner).__name__} should be a whole number of at least '
            f'{least}, not {value!r}.'
        )
    return int(value)


def spaced(start: int, num_frames: int, gap: int) -> np.ndarray:
    """``(t,)`` int64 frame numbers start, start + gap, start + 2 gap, ..."""
    return start + gap * np.arange(num_frames, dtype=np.int64)
