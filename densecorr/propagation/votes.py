"""Which patches of which context frames decided the labels of a frame."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from densecorr.ops.keys import Keys
from densecorr.ops.propagate import topk_slots
from densecorr.ops.selection import slot_weights
from densecorr.structures import VideoSample
from densecorr.utils.files import write_atomic

from .tracker import VideoTracker

_MOST_QUERIES = 8000  # of a frame; more are thinned out, see Votes.step
_SHOWN_KEYS = 10  # voters per query where a protocol weights all keys


@dataclass(frozen=True)
class Votes:
    """Voters of the cells of one frame.

    Attributes:
        frame: number of the query frame.
        grid: ``(h, w)`` of the features.
        cell: height and width of a cell in pixels of the image; cell (0, 0) lies at
            the image's top left.
        step: every ``step``-th row and column of the grid is a query.
        queries: ``(q,)`` int32 positions ``row * w + column``.
        frames: ``(m,)`` int32 numbers of the context frames.
        position: ``(q, k)`` int32 voters: ``slot * h * w + row * w + column``, with the
            slot a place in ``frames``.
        weight: ``(q, k)`` float16 weights of the voters, 0 for a slot left empty. A
            voter that stands in the memory several times has several slots.
    """

    frame: int
    grid: tuple[int, int]
    cell: tuple[float, float]
    step: int
    queries: np.ndarray
    frames: np.ndarray
    position: np.ndarray
    weight: np.ndarray

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` with an array per attribute."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{f.name: getattr(self, f.name) for f in _FIELDS})
        write_atomic(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> Votes:
        """Read what :meth:`save` wrote.

        Raises:
            ValueError: the file is damaged, or of another program.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                values = {f.name: arrays[f.name] for f in _FIELDS}
        except (KeyError, ValueError, EOFError, OSError, BadZipFile) as error:
            raise ValueError(
                f'{path} is not a file of votes: {error}. Remove it and evaluate again.'
            ) from error
        for name in ('frame', 'step'):
            values[name] = int(values[name])
        for name in ('grid', 'cell'):
            values[name] = tuple(values[name].tolist())
        return cls(**values)


_FIELDS = fields(Votes)


@torch.no_grad()
def votes_of(tracker: VideoTracker, video: VideoSample, frame: int) -> Votes:
    """The voters of frame ``frame``, computed anew from the features.

    The selection depends on features alone, so the frames before the context are not
    needed. Labels that start later than the first have further votes, which are left
    out. Ties are broken as with ``ties='lowest'``, and where a protocol weights all
    keys, the strongest are given.

    Raises:
        ValueError: the frame has no context: it is that of the first labels, or
            before.
    """
    start = video.first_label_frames[0]
    if not start < frame < video.num_frames:
        raise ValueError(
            f'frame {frame} of video {video.name!r} has no votes; give one from '
            f'{start + 1} to {video.num_frames - 1}.'
        )
    protocol = tracker.protocol
    entries = protocol.context.entries(frame, start)
    frames = sorted(entries)
    feats = [tracker.propagator.unit(f) for f in _features(tracker, video, frames)]
    query = tracker.propagator.unit(next(_features(tracker, video, [frame])))
    near, far = zip(*(entries[index] for index in frames), strict=True)
    rule = replace(protocol.select, ties='lowest')
    if rule.topk is None:
        rule = replace(rule, topk=_SHOWN_KEYS)
    keys = Keys(torch.stack(feats), near, far)
    limit = tracker.propagator.limits.max_memory
    slots = topk_slots(query, keys, protocol.window, rule, max_memory=limit)
    weights = slot_weights(slots.values, rule).nan_to_num(0.0)
    h, w = query.shape[:2]
    step = math.ceil(math.sqrt(h * w / _MOST_QUERIES))
    queries = torch.arange(h * w).view(h, w)[::step, ::step].flatten()
    plan = tracker.inputs.plan(*video.size)
    cell = [
        tracker.grid_stride * image / resized
        for image, resized in zip(plan.image_size, plan.resized_size, strict=True)
    ]
    return Votes(
        frame=frame,
        grid=(h, w),
        cell=(cell[0], cell[1]),
        step=step,
        queries=queries.numpy().astype(np.int32),
        frames=np.array(frames, np.int32),
        position=slots.index.cpu()[queries].numpy().astype(np.int32),
        weight=weights.cpu()[queries].numpy().astype(np.float16),
    )


def _features(
    tracker: VideoTracker, video: VideoSample, frames: list[int]
) -> Iterator[Tensor]:
    """``(c, h, w)`` features of frames, a chunk at a time."""
    for start in range(0, len(frames), tracker.chunk):
        yield from tracker.frame_features(video, frames[start : start + tracker.chunk])
