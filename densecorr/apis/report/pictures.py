"""The pictures of a page: which frames, how large, and within how many bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from densecorr.apis.report.numbers import frame_means, percent
from densecorr.apis.report.results import VideoFiles
from densecorr.apis.report.shelf import Shelf, shelf_of
from densecorr.apis.report.voters import load_votes, pack_votes, thin_out
from densecorr.propagation.votes import Votes

WORST = 5  # frames per video
_FEWEST_VOTES = 600  # cells of a frame; coarser than that tells nothing
_MARKUP = 600  # bytes of the page around a picture, at most
_ROOM = 0.6  # of its share: a video that took less lets the next try more detail
_NUMBER = 8  # bytes of one in the page, at most


@dataclass(frozen=True)
class Detail:
    """How much is kept of a video.

    Attributes:
        width: of a picture in pixels.
        quality: of its JPEG.
        frames: number of pictures.
        thumb: width of a picture of a context frame; 0 leaves the votes out.
        thinning: of the votes, every so many rows and columns.
    """

    width: int
    quality: int
    frames: int
    thumb: int
    thinning: int


LADDER = (
    Detail(480, 80, WORST, 220, 1),
    Detail(400, 75, WORST, 180, 2),
    Detail(320, 65, WORST, 150, 3),
    Detail(240, 55, WORST, 120, 4),
    Detail(200, 45, 3, 96, 6),
    Detail(240, 55, WORST, 0, 1),  # pictures before votes
    Detail(200, 45, WORST, 0, 1),
    Detail(160, 40, 3, 0, 1),
    Detail(160, 40, 1, 0, 1),
    Detail(0, 0, 0, 0, 1),
)


def chosen_frames(video: VideoFiles, number: int) -> list[int]:
    """Numbers of the frames to show, the worst first.

    Without scores they are evenly spaced among those that have a prediction, or among
    all where none has.
    """
    means = frame_means(video)
    if means:
        known = [index for index in means if index < len(video.frame_names)]
        return sorted(known, key=lambda index: (means[index], index))[:number]
    frames = video.predicted_frames() or list(range(len(video.frame_names)))
    if not frames:
        return []
    places = np.linspace(len(frames) - 1, 0, number).round()  # the last one for sure
    return sorted({frames[int(place)] for place in places})


def pictures_of(videos: Iterable[VideoFiles], limit: int) -> Iterator[dict[str, Any]]:
    """Pictures and votes of each video, in as much detail as the bytes allow.

    Every video may use an equal share of what the videos before it have left. To try
    little, a video begins with the detail of the one before it, or with the next
    richer one where that had room to spare.

    Args:
        videos: in the order of the page.
        limit: bytes for all of them.

    Yields:
        ``pictures``, ``votes`` (or None), ``reduced`` (whether something was left out
        to save bytes) and ``why_no_votes``.
    """
    videos, first = list(videos), 0
    for place, video in enumerate(videos):
        share = limit // (len(videos) - place)
        for kept in _attempts(video, first):
            used = _bytes(kept)
            if used <= share:
                break
            first = min(first + 1, len(LADDER) - 1)
        limit -= used
        if used <= _ROOM * share:
            first = max(first - 1, 0)
        yield kept


def _attempts(video: VideoFiles, first: int) -> Iterator[dict[str, Any]]:
    """What a page could keep of a video, from a step of the ladder on down."""
    shelf = shelf_of(video, LADDER[0].width)
    votes, problem = load_votes(video)
    for detail in LADDER[first:]:
        yield dict(
            pictures=_pictures(shelf, detail, votes),
            votes=_votes(shelf, detail, votes),
            reduced=detail is not LADDER[0],
            why_no_votes=problem,
        )


def _pictures(
    shelf: Shelf, detail: Detail, votes: Votes | None
) -> list[dict[str, Any]]:
    """The worst frames, and the frame of the votes where it is none of them."""
    frames = chosen_frames(shelf.video, detail.frames)
    if votes is not None and detail.thumb and votes.frame not in frames:
        frames.append(votes.frame)
    means = frame_means(shelf.video)
    found = []
    for index in frames:
        picture = shelf.picture(index, detail.width, detail.quality)
        if picture is None:
            continue
        found.append(
            dict(
                picture,
                index=index,
                frame=shelf.video.frame_names[index],
                score=percent(means[index]) if index in means else '',
                facts=shelf.facts(index),
            )
        )
    return found


def _votes(shelf: Shelf, detail: Detail, votes: Votes | None) -> dict[str, Any] | None:
    """Votes with a small picture of every context frame."""
    if votes is None or not detail.thumb:
        return None
    thinned = thin_out(votes, _thinning(votes, detail.thinning))
    context = []
    for index in thinned.frames.tolist():
        picture = shelf.picture(index, detail.thumb, detail.quality, truth=False)
        name = shelf.video.frame_names[index]
        context.append(dict(picture or {}, index=index, frame=name))
    wrong = shelf.wrong_places(votes.frame)
    packed = pack_votes(thinned, shelf.size(votes.frame), wrong)
    return dict(packed, context=context)


def _thinning(votes: Votes, wanted: int) -> int:
    """As coarse as wanted, unless too few cells would be left."""
    factor = 1
    while factor < wanted and len(votes.queries) / (factor + 1) ** 2 >= _FEWEST_VOTES:
        factor += 1
    return factor


def _bytes(kept: Any) -> int:
    """Bytes of texts and numbers in a nested value, about what they take in a page."""
    if isinstance(kept, dict):
        return _MARKUP + sum(map(_bytes, kept.values()))
    if isinstance(kept, (list, tuple)):
        return sum(map(_bytes, kept))
    if isinstance(kept, str):
        return len(kept)
    return _NUMBER if isinstance(kept, float) else 0
