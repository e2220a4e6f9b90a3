"""Candidates of the frames of a video: whose they are, which of them are one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from densecorr.evaluation.functional.discovery import link_slots
from densecorr.ops.slots import enlarge_areas
from densecorr.structures import FrameCandidates, LabelledImage

VOID = 255  # not scored
Candidates = Callable[[str], Mapping[str, FrameCandidates]]


class VideoJob(NamedTuple):
    """A video whose result is kept when it is done.

    Attributes:
        name: of the video; a path of its record.
        images: numbers of its labelled frames.
    """

    name: str
    images: tuple[int, ...]


class Tracked(NamedTuple):
    """Candidates of a video.

    Attributes:
        names: of all its frames.
        frames: their candidates.
        tracks: for each frame ``(n,)`` int64 from 1.
    """

    names: tuple[str, ...]
    frames: tuple[FrameCandidates, ...]
    tracks: tuple[np.ndarray, ...]

    def of(self, name: str) -> tuple[FrameCandidates, np.ndarray]:
        """Candidates and tracks of a frame."""
        place = self.names.index(name)
        return self.frames[place], self.tracks[place]


def video_jobs(images: Sequence[LabelledImage]) -> list[VideoJob]:
    """A job for every video."""
    clips: dict[str, list[int]] = {}
    for number, image in enumerate(images):
        clips.setdefault(image.group, []).append(number)
    return [VideoJob(name, tuple(members)) for name, members in clips.items()]


def tracked(
    candidates: Candidates,
    images: Sequence[LabelledImage],
    linker: float,
    most: int,
) -> Tracked:
    """Candidates of the video of some frames, with tracks.

    Args:
        candidates: of all frames of a video, by the names of its images.
        images: labelled frames of one video.
        linker: threshold of :func:`link_slots`, where tracks are not known.
        most: candidates of a frame.

    Raises:
        ValueError: a frame has no candidates, too many, or two of one track.
    """
    found = dict(candidates(images[0].group))
    missing = [image.name for image in images if image.name not in found]
    if missing:
        raise ValueError(
            f'there are no candidates for frame {missing[0]!r} and '
            f'{len(missing) - 1} others, only for {list(found)[:3]}. Are they those of '
            'another data set?'
        )
    for name, frame in found.items():
        if len(frame.masks) > most:
            raise ValueError(
                f'frame {name!r} has {len(frame.masks)} candidates, max_candidates is '
                f'{most}. Take fewer slots or clusters, or raise it.'
            )
    frames = tuple(found.values())
    known = [frame.tracks for frame in frames if frame.tracks is not None]
    if len(known) == len(frames):
        tracks = known
    else:
        tracks = link_slots([frame.slots for frame in frames], linker)
    for name, numbers in zip(found, tracks, strict=True):
        values, counts = np.unique(numbers, return_counts=True)
        if (counts > 1).any():
            raise ValueError(
                f'two candidates of frame {name!r} have the track '
                f'{values[counts > 1][0]}; proposals with one number overlap. Number '
                'the candidates of a frame differently.'
            )
    return Tracked(tuple(found), frames, tuple(tracks))


def enlarged(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``(..., h, w)`` maps at the size (H, W) of a frame, nearest."""
    grid = (maps.shape[-2], maps.shape[-1])
    flat = torch.from_numpy(np.ascontiguousarray(maps)).flatten(-2)
    if maps.dtype == bool:
        return enlarge_areas(flat.byte(), grid, size).numpy().astype(bool)
    return enlarge_areas(flat, grid, size).numpy()


def size_of(labels: np.ndarray) -> tuple[int, int]:
    """(H, W)."""
    return labels.shape[0], labels.shape[1]
