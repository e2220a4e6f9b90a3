"""The pictures of a page: which frames, how large, and within how many bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from densecorr.apis.report.numbers import frame_means, percent
from densecorr.apis.report.results import VideoFiles
from densecorr.apis.report.voters import load_votes, pack_votes, thin_out
from densecorr.propagation.votes import Votes
from densecorr.visualization.difference import difference_shares, encode_runs
from densecorr.visualization.overlay import jpeg_uri, shrink

WORST = 5  # frames per video
_FIRST_MIDDLE_LAST = 3
_FEWEST_VOTES = 600  # cells of a frame; coarser than that tells nothing
_MARKUP = 600  # bytes of the page around a picture, at most
_TITLES = dict(missed='missed', false='false', wrong='wrong object')


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
    Detail(160, 40, 1, 0, 1),
    Detail(0, 0, 0, 0, 1),
)


@dataclass
class Shelf:
    """Shrunk frames and label maps of one video, each read once.

    Attributes:
        video: its files.
        kept: by frame number: image, prediction, truth (None where missing), the
            shares of pixels by kind of difference, and the size before shrinking.
    """

    video: VideoFiles
    kept: dict[int, dict[str, Any]] = field(default_factory=dict)

    def frame(self, index: int) -> dict[str, Any]:
        """Image and label maps of a frame, at most as wide as the largest picture."""
        if index not in self.kept:
            image = self.video.image(index)
            pred, truth = self.video.prediction(index), self.video.truth(index)
            full = next((m for m in (image, pred, truth) if m is not None), None)
            shares = None
            if pred is not None and truth is not None and pred.shape == truth.shape:
                shares = difference_shares(pred, truth)
            width = LADDER[0].width
            self.kept[index] = dict(
                image=None if image is None else shrink(image, width),
                pred=None if pred is None else shrink_labels(pred, width),
                truth=None if truth is None else shrink_labels(truth, width),
                shares=shares,
                size=None if full is None else full.shape[:2],
            )
        return self.kept[index]


def shrink_labels(label_map: np.ndarray, max_width: int) -> np.ndarray:
    """A label map at the size that :func:`shrink` gives its frame, nearest pixel."""
    height, width = label_map.shape
    if width <= max_width:
        return label_map
    size = (max_width, max(1, round(height * max_width / width)))
    return cv2.resize(label_map, size, interpolation=cv2.INTER_NEAREST)


def chosen_frames(video: VideoFiles, number: int) -> list[int]:
    """Numbers of the frames to show, the worst first.

    Without scores they are the first, the middle and the last one.
    """
    means, frames = frame_means(video), len(video.frame_names)
    if means:
        known = [index for index in means if index < frames]
        return sorted(known, key=lambda index: (means[index], index))[:number]
    if not frames:
        return []
    places = np.linspace(0, frames - 1, min(_FIRST_MIDDLE_LAST, number))
    return list(dict.fromkeys(int(place) for place in places.round()))


def pictures_of(videos: Iterable[VideoFiles], limit: int) -> Iterator[dict[str, Any]]:
    """Pictures and votes of each video, in as much detail as the bytes allow.

    Every video may use an equal share of what the videos before it have left.

    Args:
        videos: in the order of the page.
        limit: bytes for all of them.

    Yields:
        ``pictures``, ``votes`` (or None), ``reduced`` (whether something was left out
        to save bytes) and ``why_no_votes``.
    """
    videos = list(videos)
    for place, video in enumerate(videos):
        share = limit // (len(videos) - place)
        for kept in _attempts(video):
            used = _bytes(kept)
            if used <= share:
                break
        limit -= used
        yield kept


def _attempts(video: VideoFiles) -> Iterator[dict[str, Any]]:
    """What a page could keep of a video, from the most to nothing."""
    shelf = Shelf(video)
    votes, problem = load_votes(video)
    for detail in LADDER:
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
        picture = _encode(shelf.frame(index), detail.width, detail.quality)
        if picture is None:
            continue
        name = shelf.video.frame_names[index]
        shares = shelf.frame(index)['shares']
        score = percent(means[index]) if index in means else ''
        found.append(
            dict(
                picture,
                index=index,
                frame=name,
                score=score,
                shares=[(_TITLES[k], percent(v)) for k, v in (shares or {}).items()],
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
        kept = shelf.frame(index)
        picture = _encode({**kept, 'truth': None}, detail.thumb, detail.quality)
        name = shelf.video.frame_names[index]
        context.append(dict(picture or {}, index=index, frame=name))
    seen = shelf.frame(votes.frame)
    packed = pack_votes(thinned, seen['size'], seen['pred'], seen['truth'])
    return dict(packed, context=context)


def _thinning(votes: Votes, wanted: int) -> int:
    """As coarse as wanted, unless too few cells would be left."""
    factor = 1
    while factor < wanted and len(votes.queries) / (factor + 1) ** 2 >= _FEWEST_VOTES:
        factor += 1
    return factor


def _encode(kept: dict[str, Any], width: int, quality: int) -> dict[str, Any] | None:
    """One picture for the page; None where there is nothing to show."""
    image, pred, truth = kept['image'], kept['pred'], kept['truth']
    shown = next((part for part in (image, pred, truth) if part is not None), None)
    if shown is None or not width:
        return None
    image = None if image is None else shrink(image, width)
    maps = [None if m is None else shrink_labels(m, width) for m in (pred, truth)]
    shown = next(part for part in (image, *maps) if part is not None)
    height, width = shown.shape[:2]
    runs = [
        encode_runs(m) if m is not None and m.shape == (height, width) else None
        for m in maps
    ]
    return dict(
        width=width,
        height=height,
        image=None if image is None else jpeg_uri(image, quality),
        pred=runs[0],
        truth=runs[1],
    )


def _bytes(kept: Any) -> int:
    """Bytes of all texts in a nested value, about what they take in the page."""
    if isinstance(kept, dict):
        return _MARKUP + sum(map(_bytes, kept.values()))
    if isinstance(kept, (list, tuple)):
        return sum(map(_bytes, kept))
    return len(kept) if isinstance(kept, str) else 0
