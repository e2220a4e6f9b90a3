"""Votes of a stored frame, checked and packed for the page."""

from __future__ import annotations

import base64
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np

from densecorr.apis.report.results import VideoFiles
from densecorr.propagation.votes import Votes

_DAMAGED = (
    'The file of votes of this video is damaged. Remove it from votes/ and run the '
    'evaluation again with the same --out.'
)
_ABSENT = (
    'No votes are stored for this video. Run the evaluation again with the same --out '
    '(without --no-votes).'
)


def load_votes(video: VideoFiles) -> tuple[Votes | None, str]:
    """The stored votes of a video, or None and a sentence that says why not."""
    path = video.out / 'votes' / f'{video.name}.npz'
    if not path.is_file():
        return None, _ABSENT
    try:
        votes = Votes.load(path)
    except (ValueError, TypeError, OSError, zipfile.BadZipFile):
        return None, _DAMAGED
    return (votes, '') if _fits(votes, len(video.frame_names)) else (None, _DAMAGED)


def _fits(votes: Votes, num_frames: int) -> bool:
    """Whether shapes and numbers agree with one another and with the video."""
    cells = votes.grid[0] * votes.grid[1]
    frames, position = votes.frames, votes.position
    if position.shape != votes.weight.shape or position.ndim != 2 or not len(frames):
        return False
    if len(position) != len(votes.queries) or not position.size or votes.step < 1:
        return False
    return bool(
        0 <= votes.frame < num_frames
        and frames.min() >= 0
        and frames.max() < num_frames
        and position.min() >= 0
        and position.max() < len(frames) * cells
        and votes.queries.min() >= 0
        and votes.queries.max() < cells
        and np.isfinite(votes.weight).all()
        and min(votes.cell) > 0
    )


def thin_out(votes: Votes, factor: int) -> Votes:
    """Keep every ``factor``-th of the stored rows and columns of queries."""
    if factor == 1:
        return votes
    step = votes.step * factor
    rows, columns = np.divmod(votes.queries, votes.grid[1])
    keep = (rows % step == 0) & (columns % step == 0)
    return replace(
        votes,
        step=step,
        queries=votes.queries[keep],
        position=votes.position[keep],
        weight=votes.weight[keep],
    )


def pack_votes(
    votes: Votes, size: tuple[int, int] | None, wanted: np.ndarray | None
) -> dict[str, Any]:
    """Votes as values that JSON can hold.

    Args:
        votes: of one frame.
        size: ``(H, W)`` of the frame; None takes that of the grid.
        wanted: bool map of any size, where to look first; None is the whole frame.

    Returns:
        ``index`` of the frame, ``size``, ``grid``, ``cell``, ``step``, ``voters`` (k),
        ``queries`` and ``position`` as little-endian int32 and ``weight`` as bits of
        float16, all base64, and ``start``, the place of a query.
    """
    height, width = size or (g * c for g, c in zip(votes.grid, votes.cell, strict=True))
    return dict(
        index=votes.frame,
        size=[height, width],
        grid=list(votes.grid),
        cell=list(votes.cell),
        step=votes.step,
        voters=votes.position.shape[1],
        queries=_text(votes.queries, '<i4'),
        position=_text(votes.position, '<i4'),
        weight=_text(votes.weight, '<f2'),
        start=_first_shown(votes, (height, width), wanted),
    )


def _first_shown(
    votes: Votes, size: tuple[float, float], wanted: np.ndarray | None
) -> int:
    """The query in the midst of what is wanted, or of the grid."""
    rows, columns = np.divmod(votes.queries, votes.grid[1])
    places = np.stack([rows, columns], 1).astype(float)
    candidates = np.ones(len(places), bool)
    if wanted is not None:
        y, x = (
            np.minimum((cells + 0.5) * cell / whole * side, side - 1).astype(int)
            for cells, cell, whole, side in zip(
                (rows, columns), votes.cell, size, wanted.shape, strict=True
            )
        )
        inside = wanted[y, x]
        candidates = inside if inside.any() else candidates
    centre = places[candidates].mean(0)
    distance = np.square(places - centre).sum(1)
    return int(np.where(candidates, distance, np.inf).argmin())


def _text(values: np.ndarray, kind: str) -> str:
    """Bytes of an array in base64."""
    return base64.b64encode(np.ascontiguousarray(values, kind).tobytes()).decode()
