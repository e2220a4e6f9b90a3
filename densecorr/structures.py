"""Names and shapes of what datasets, models and metrics hand to one another.

Axis letters: ``t`` frames, ``H W`` pixels of a frame, ``j`` joints. Images are RGB.
Label maps hold object numbers (or classes of parts), 0 is background. Joints are (x, y)
in pixels, the centre of the first pixel is (0, 0). Nothing here reads files or knows a
dataset.

A clip on its way to training is a plain dict:

- ``frames``: ``(t, H, W, 3)`` uint8 RGB; of a grid of patches ``(t, n, H, W, 3)``.
- ``images_lab``: ``(t, 3, H, W)`` float32 LAB of the frames, where a transform adds it.
- ``video``: its name; ``frame_indices``: ``(t,)`` int64 numbers of the frames.
- ``epoch``, ``index``: its :class:`ClipKey`.
- ``seed``: int in [0, 2**63), from which a method draws the noise of this clip.
- ``rng``: the clip's numpy generator, for transforms; not packed.
- ``replaced``: tuple of "file: problem", one for each clip that could not be read and
  that this one stands for.

Packed and collated it is ``dict(inputs=..., data_samples=...)``: ``inputs`` maps names,
above all ``frames`` ``(b, t, ..., 3, H, W)`` uint8, to tensors; ``data_samples`` is a
list of one dict for each clip with the other keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class ClipKey(NamedTuple):
    """What a training item is drawn from: equal keys and seeds give equal clips.

    Attributes:
        epoch: from 0.
        item: its number in the dataset, from 0.
    """

    epoch: int
    item: int


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

    A video has label maps or joints. With joints, ``label_frames`` and
    ``first_label_frames`` are theirs, and ``read_labels`` raises a KeyError.

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
        read_points: frame number to ``(H, W, 3)`` int32: object number, row and column
            of the material point that each pixel shows. Generated videos know it.
        read_joints: frame number, one of ``label_frames``, to ``(j, 2)`` float64
            joints; those outside the frame, too. None where there are label maps.
        written_frames: numbers of the frames whose results are wanted, ascending; the
            others are tracked only. None wants all.
        categories: object number to the name of its kind, where that is known.
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
    read_joints: Callable[[int], np.ndarray] | None = field(default=None, repr=False)
    written_frames: tuple[int, ...] | None = None
    categories: Mapping[int, str] | None = None

    def __post_init__(self) -> None:
        if not self.frame_names:
            raise ValueError(f'video {self.name!r} has no frames.')
        extra = set(self.first_label_frames) - set(self.label_frames)
        if extra:
            raise ValueError(
                f'first_label_frames of video {self.name!r} hold {sorted(extra)}, '
                f'which have no labels. Choose from {list(self.label_frames)}.'
            )
        self._check_frames('label_frames', self.label_frames)
        if self.written_frames is not None:
            self._check_frames('written_frames', self.written_frames)

    def _check_frames(self, what: str, frames: tuple[int, ...]) -> None:
        outside = [i for i in frames if not 0 <= i < self.num_frames]
        if outside or list(frames) != sorted(set(frames)):
            raise ValueError(
                f'{what} of video {self.name!r} are {list(frames)}. '
                f'Give ascending frame numbers from 0 to {self.num_frames - 1}.'
            )

    @property
    def num_frames(self) -> int:
        """Number of frames, t."""
        return len(self.frame_names)

    @property
    def result_frames(self) -> tuple[int, ...]:
        """Numbers of the frames whose results are wanted."""
        if self.written_frames is None:
            return tuple(range(self.num_frames))
        return self.written_frames


@dataclass(frozen=True)
class FrameResult:
    """What a tracker says about one frame.

    Attributes:
        index: frame number, from 0.
        label_map: ``(H, W)`` uint8 object numbers at the size of the frame.
    """

    index: int
    label_map: np.ndarray


@dataclass(frozen=True)
class JointResult:
    """What a tracker says about the joints of one frame.

    Attributes:
        index: frame number, from 0.
        joints: ``(j, 2)`` float64 (x, y) in pixels of the frame; NaN where a joint is
            lost.
    """

    index: int
    joints: np.ndarray


@dataclass(frozen=True)
class LabelledImage:
    """One item of a dataset for evaluations of single images: read when asked for.

    Attributes:
        name: unique in its dataset; ``/`` separates folders.
        group: the clip that it belongs to; its own name where there is none.
        read_image: ``(H, W, 3)`` uint8 RGB.
        read_labels: ``(H, W)`` classes of the same size.
        hash_inputs: sha256 in hex over the image and its labels.
        part: ``'test'``, or ``'train'`` for images whose labels a probe may learn from.
    """

    name: str
    group: str
    read_image: Callable[[], np.ndarray] = field(repr=False)
    read_labels: Callable[[], LabelMap] = field(repr=False)
    hash_inputs: Callable[[], str] = field(repr=False)
    part: str = 'test'


class FrameCandidates(NamedTuple):
    """Regions of one frame that may be objects; they may overlap.

    Attributes:
        kind: where they come from, ``'slots'`` or ``'kmeans'``.
        masks: ``(n, h, w)`` bool, at the grid of the features.
        shares: ``(n, h, w)`` float32 in [0, 1], how much of a place each has.
        owners: ``(h, w)`` int64 candidate that has each place to itself, -1 for none.
        slots: ``(n, c)`` float32, by which frames can be linked.
        tracks: ``(n,)`` int64 from 1, equal numbers in the frames of a video are one
            object; None where it is not known.
    """

    kind: str
    masks: np.ndarray
    shares: np.ndarray
    owners: np.ndarray
    slots: np.ndarray
    tracks: np.ndarray | None = None
