"""Names and shapes of what datasets, models and metrics hand to one another.

Axis letters: ``t`` frames, ``H W`` pixels of a frame. Images are RGB. Label maps hold
object numbers, 0 is background. Nothing here reads files or knows a dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class LabelMap:
    """Object numbers of one frame.

    Attributes:
        indices: ``(H, W)`` uint8, the object number of every pixel, 0 = background.
        palette: ``(256, 3)`` uint8 colours of the file that it was read from, for
            writing results that look like their input; None for a grey file.
    """

    indices: np.ndarray
    palette: np.ndarray | None = None


@dataclass(frozen=True)
class VideoSample:
    """One item of every video dataset: a video whose frames are read when asked for.

    A frame of another size than frame 0, and labels of another size than their frame,
    are a ValueError that names the file and both sizes, raised when they are read.

    Attributes:
        name: of the video, unique in its dataset; ``/`` separates folders.
        frame_names: stems of the frame files in time order; results are named so.
        read_frame: frame number to ``(H, W, 3)`` uint8 RGB.
        label_frames: numbers of the frames that have labels, ascending.
        read_labels: frame number, one of ``label_frames``, to its labels.
        first_label_frames: the part of ``label_frames`` that a tracker may read (the
            first labels of every object); the others are for the metric.
        size: ``(H, W)`` of frame 0 in pixels.
        hash_inputs: sha256 in hex over all that a tracker sees: the names, the bytes
            of the frame files and the labels of ``first_label_frames``. Reads every
            frame file, one at a time.
    """

    name: str
    frame_names: tuple[str, ...]
    read_frame: Callable[[int], np.ndarray] = field(repr=False)
    label_frames: tuple[int, ...]
    read_labels: Callable[[int], LabelMap] = field(repr=False)
    first_label_frames: tuple[int, ...]
    size: tuple[int, int]
    hash_inputs: Callable[[], str] = field(repr=False)
    read_points: Callable[[int], np.ndarray] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.frame_names:
            raise ValueError(f'video {self.name!r} has no frames.')
        extra = set(self.first_label_frames) - set(self.label_frames)
        if extra:
            raise ValueError(
                f'first_label_frames of video {self.name!r} hold {sorted(extra)}, '
                f'which have no labels. Choose from {list(self.label_frames)}.'
            )
        outside = [i for i in self.label_frames if not 0 <= i < self.num_frames]
        if outside or list(self.label_frames) != sorted(set(self.label_frames)):
            raise ValueError(
                f'label_frames of video {self.name!r} are {list(self.label_frames)}. '
                f'Give ascending frame numbers from 0 to {self.num_frames - 1}.'
            )

    @property
    def num_frames(self) -> int:
        """Number of frames, t."""
        return len(self.frame_names)


@dataclass(frozen=True)
class FrameResult:
    """What a tracker says about one frame.

    Attributes:
        index: frame number, from 0.
        label_map: ``(H, W)`` uint8 object numbers at the size of the frame.
    """

    index: int
    label_map: np.ndarray
