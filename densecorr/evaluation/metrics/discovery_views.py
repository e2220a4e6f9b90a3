"""Tables and pictures of discovered objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.functional.davis import GLOBAL_NAMES, summarize
from densecorr.evaluation.functional.discovery import exclusive_map
from densecorr.evaluation.metrics.candidate_tracks import Tracked
from densecorr.evaluation.metrics.seg_tables import ImageScore, write_shown
from densecorr.structures import LabelledImage
from densecorr.utils.images import resize_nearest
from densecorr.utils.segment_colors import class_label, cluster_label
from densecorr.utils.tables import format_csv

MISSED = 'missed'
_FOUND = 0.5  # J from which on an object of a frame is found
_DECIMALS = 6
_COUNTS = ('per_frame', 'proposals')
_SHOWN = ('J&F-Mean', 'J-Mean', 'F-Mean', 'J-Recall', 'F-Recall')


def statistics_of(results: Sequence[Mapping[str, Any]], score: str) -> dict[str, float]:
    """The seven numbers of DAVIS by one score, means over all objects.

    Raises:
        ValueError: no video has an object.
    """
    items = [item[score] for result in results for item in result['objects']]
    if not items:
        raise ValueError(
            f'none of {len(results)} videos has an object in its first labelled frame. '
            'Check the labels: are they read as empty?'
        )
    series = ([np.array(item[m]) for item in items] for m in 'JF')
    return summarize(*series)


def summary(
    results: Sequence[Mapping[str, Any]], scores: Sequence[str]
) -> dict[str, float]:
    """Means and recalls, those of all scores side by side."""
    numbers = {score: statistics_of(results, score) for score in scores}
    return {f'{s}/{name}': numbers[s][name] for name in _SHOWN for s in scores}


def score_csv(results: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> str:
    """A row for every score: all statistics, and what the candidates were."""
    kind = results[0]['candidates']
    counts = [float(np.mean([r[key] for r in results])) for key in _COUNTS]
    rows = [
        [score, kind, *statistics_of(results, score).values(), *counts]
        for score in scores
    ]
    columns = ['Score', 'Candidates', *GLOBAL_NAMES, 'Per frame', 'Proposals']
    return format_csv(rows, columns, _DECIMALS)


def object_csv(results: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> str:
    """A row for every object: mean J and F by score, and the share of frames found."""
    rows = [
        [
            result['video'],
            item['object'],
            *(
                number
                for score in scores
                for number in (
                    float(np.mean(item[score]['J'])),
                    float(np.mean(item[score]['F'])),
                    float(np.mean(np.array(item[score]['J']) >= _FOUND)),
                )
            ),
        ]
        for result in results
        for item in result['objects']
    ]
    columns = [f'{score} {name}' for score in scores for name in ('J', 'F', 'Found')]
    return format_csv(rows, ['Video', 'Object', *columns], _DECIMALS)


def image_rows(
    results: Sequence[Mapping[str, Any]], scores: Sequence[str]
) -> Iterator[ImageScore]:
    """Mean J of the objects of every frame; pictures of missed objects have none."""
    for score in scores:
        for view in (score, f'{MISSED}/{score}'):
            for result in results:
                for t, name in enumerate(result['frames']):
                    values = [item[score]['J'][t] for item in result['objects']]
                    known = values and view == score
                    mean = float(np.mean(values)) if known else float('nan')
                    yield ImageScore(view, name, result['video'], mean)


def keep_views(
    out_dir: str,
    images: Sequence[LabelledImage],
    video: Tracked,
    found: Any,
    number: int,
) -> None:
    """Write maps of a video for the report, see :func:`write_shown`.

    Objects keep their colour from frame to frame, candidates that met no object have
    pale ones, those of a track the same. ``missed/...`` has the objects that were not
    found, of J below 0.5.

    Args:
        out_dir: of the results.
        images: labelled frames of the video.
        video: its candidates.
        found: :class:`densecorr.evaluation.metrics.discovery.Found`.
        number: of frames, evenly spaced.
    """
    for t in shown_frames(len(images), number):
        image = images[t]
        labels = image.read_labels().indices
        for score, matched in found.matched.items():
            own = matched.proposals[:, t]
            if score == 'davis':
                view = _proposals(video, image.name, own, found.kept)
            else:
                view = _chosen(video, image.name, own)
            size = (labels.shape[0], labels.shape[1])
            write_shown(out_dir, score, image.name, resize_nearest(view, size))
            lost = np.flatnonzero(matched.region[:, t] < _FOUND) + 1
            missed = np.where(np.isin(labels, lost), class_label(labels), 0)
            write_shown(out_dir, f'{MISSED}/{score}', image.name, missed)


def shown_frames(total: int, number: int) -> list[int]:
    """Places of at most ``number`` of so many frames, evenly spaced."""
    places = np.linspace(0, total - 1, min(total, number)).round().astype(int)
    return sorted(set(places.tolist()))


def _proposals(
    video: Tracked, name: str, own: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Proposals of ``davis`` at the grid, in the colours of the objects they met."""
    frame, tracks = video.of(name)
    proposals = exclusive_map(frame.owners, tracks, kept)
    colors = np.concatenate([[0], cluster_label(np.arange(1, len(kept) + 1))])
    for k, proposal in enumerate(own):
        if proposal < len(kept):
            colors[proposal + 1] = class_label(np.array(k + 1))
    return colors[proposals].astype(np.uint8)


def _chosen(video: Tracked, name: str, own: np.ndarray) -> np.ndarray:
    """Candidates of a frame that objects got, at the grid; later ones cover others."""
    frame, _ = video.of(name)
    view = np.zeros(frame.masks.shape[1:], np.uint8)
    for k, candidate in enumerate(own):
        if candidate < len(frame.masks):
            view[frame.masks[candidate]] = class_label(np.array(k + 1))
    return view
