"""Objects that nobody named: proposals, how they meet the objects of a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from densecorr.evaluation.functional.davis import match_objects
from densecorr.evaluation.functional.region import region_similarity

MAX_PROPOSALS = 20  # of a video, by the rules of DAVIS-2017 Unsupervised
NO_TRACK = 0  # of pixels and candidates that belong to no track
_CHOSEN = 0.5  # a slot is compared with the truth where its stretched share is larger


class Matched(NamedTuple):
    """What the objects of a video got, in their order.

    Attributes:
        proposals: ``(k, t)`` int64, from 0.
        region: ``(k, t)`` J.
        boundary: ``(k, t)`` F.
    """

    proposals: np.ndarray
    region: np.ndarray
    boundary: np.ndarray


def match_per_frame(region: np.ndarray, boundary: np.ndarray) -> Matched:
    """The best assignment of proposals to objects, anew in every frame.

    The annotation chooses the proposals of every frame, so this is an upper bound of
    what a method finds (``per_frame_oracle``), not comparable with methods that say
    which proposals of two frames are one object.

    Args:
        region: ``(n, k, t)`` J of all proposals and objects. Give an empty proposal
            where there are fewer proposals than objects.
        boundary: ``(n, k, t)`` F.

    Raises:
        ValueError: shapes that do not fit.

    Reference: official shvdiwnkozbw/SMTC; its rows are ordered by proposal instead.
    """
    _check_scores(region, boundary)
    pairs = [
        match_objects(*(scores[..., t : t + 1] for scores in (region, boundary)))
        for t in range(region.shape[2])
    ]
    chosen = [_of_objects(*pair) for pair in pairs]
    return _matched(np.array(chosen).T.reshape(region.shape[1:]), region, boundary)


def match_per_sequence(region: np.ndarray, boundary: np.ndarray) -> Matched:
    """One assignment of proposals to objects for the whole video (``davis``).

    By the largest mean of J and F over frames. Arguments as in
    :func:`match_per_frame`.

    Reference: Caelles et al., arXiv:1905.00737. Official:
        davisvideochallenge/davis2017-evaluation.
    """
    _check_scores(region, boundary)
    chosen = _of_objects(*match_objects(region, boundary))
    return _matched(np.repeat(chosen[:, None], region.shape[2], 1), region, boundary)


def _check_scores(region: np.ndarray, boundary: np.ndarray) -> None:
    if region.ndim != 3 or region.shape != boundary.shape:
        raise ValueError(
            f'J are {region.shape}, F {boundary.shape}; give equal (proposals, objects,'
            ' frames).'
        )
    if region.shape[0] < region.shape[1]:
        raise ValueError(
            f'there are {region.shape[0]} proposals for {region.shape[1]} objects. Add '
            'empty proposals, so that every object gets one.'
        )


def _of_objects(proposals: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """Proposals in the order of the objects, of which each has one."""
    return proposals[objects.argsort()]


def _matched(chosen: np.ndarray, region: np.ndarray, boundary: np.ndarray) -> Matched:
    """Scores of ``(k, t)`` proposals."""
    objects, frames = np.indices(chosen.shape)
    region, boundary = (x[chosen, objects, frames] for x in (region, boundary))
    return Matched(chosen, region, boundary)


def link_slots(slots: Sequence[np.ndarray], threshold: float = 0.5) -> list[np.ndarray]:
    """Which candidates of the frames of a video are one object.

    Candidates of consecutive frames are assigned to one another by the largest sum of
    cosines; a pair above the threshold is one track, all others begin new ones.

    Args:
        slots: for each frame ``(n, c)`` instance slots of its candidates, n may be 0.
        threshold: least cosine of a pair, in [-1, 1].

    Returns:
        for each frame ``(n,)`` int64 numbers of tracks, from 1.

    Raises:
        ValueError: a threshold out of range, or channels that differ.
    """
    if not -1 <= threshold <= 1:
        raise ValueError(f'threshold of the linker is {threshold}; give -1 to 1.')
    channels = {part.shape[1] for part in slots if len(part)}
    if len(channels) > 1:
        raise ValueError(
            f'slots of one video have {sorted(channels)} channels; all frames need the '
            'slots of one model.'
        )
    tracks: list[np.ndarray] = []
    count, before = 0, np.zeros((0, 1))
    for part in slots:
        unit = _unit(np.asarray(part, np.float64))
        found = np.full(len(unit), NO_TRACK, np.int64)
        if len(unit) and len(before):
            cosines = before @ unit.T
            for row, column in zip(
                *linear_sum_assignment(cosines, maximize=True), strict=True
            ):
                if cosines[row, column] >= threshold:
                    found[column] = tracks[-1][row]
        new = np.flatnonzero(found == NO_TRACK)
        found[new] = count + 1 + np.arange(len(new))
        count += len(new)
        tracks.append(found)
        before = unit
    return tracks


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def largest_tracks(
    tracks: Sequence[np.ndarray],
    areas: Sequence[np.ndarray],
    most: int = MAX_PROPOSALS,
) -> np.ndarray:
    """The tracks with the largest area in a video, ``(m,)``, m at most ``most``.

    Args:
        tracks: of each frame ``(n,)``, see :func:`link_slots`.
        areas: of each frame ``(n,)`` pixels of its candidates.
        most: proposals of a video.
    """
    numbers = np.concatenate([*tracks, np.zeros(0, np.int64)]).astype(np.int64)
    weights = np.concatenate([*areas, np.zeros(0)])
    totals = np.bincount(numbers, weights)
    order = np.argsort(-totals, kind='stable')
    return np.array([n for n in order if n != NO_TRACK and totals[n] > 0][:most], int)


def exclusive_map(
    owners: np.ndarray, tracks: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Proposals of a frame that share no pixel, ``(H, W)`` uint8, 0 is none.

    Args:
        owners: ``(H, W)`` candidate that has each pixel to itself, -1 for none.
        tracks: ``(n,)`` tracks of the candidates.
        kept: ``(m,)`` tracks that become proposals 1 to m; others have no pixel.
    """
    proposals = np.zeros(len(tracks) + 1, np.uint8)  # the last one is for -1
    order = {int(track): i for i, track in enumerate(kept, 1)}
    proposals[:-1] = [order.get(int(track), 0) for track in tracks]
    return proposals[owners]


def check_exclusive(masks: np.ndarray, name: str, most: int = MAX_PROPOSALS) -> None:
    """Refuse proposals of a frame that the protocol ``davis`` does not allow.

    Args:
        masks: ``(n, H, W)``.
        name: of the frame, for the error.
        most: proposals of a video.

    Raises:
        ValueError: two overlap, or there are more than ``most``.
    """
    if len(masks) > most:
        raise ValueError(
            f'{name} has {len(masks)} proposals, the protocol davis allows {most}. '
            'Keep the largest, or score them by per_frame_oracle.'
        )
    planes = (np.asarray(masks) != 0).reshape(len(masks), -1)
    counts = planes.astype(np.float32) @ planes.T.astype(np.float32)
    pairs = np.argwhere(np.triu(counts, 1) > 0)
    if len(pairs):
        first, second = (int(i) for i in pairs[0])
        raise ValueError(
            f'proposals {first + 1} and {second + 1} of {name} overlap in '
            f'{int(counts[first, second])} pixels; by the protocol davis a pixel '
            'belongs to one proposal. Make them exclusive, or score them by '
            'per_frame_oracle.'
        )


class Merged(NamedTuple):
    """Result of :func:`merge_foreground`.

    Attributes:
        merged: ``(t, H, W)`` sums of the chosen slots.
        mean: ``(H, W)`` their mean over time, stretched to [0, 1].
        iou: of the mean above 0.5 with the truth.
    """

    merged: np.ndarray
    mean: np.ndarray
    iou: float


def merge_foreground(maps: np.ndarray, truth: np.ndarray) -> Merged:
    """Foreground from all slots that are more like it than like the background.

    The annotation chooses the slots: an oracle.

    Args:
        maps: ``(t, s, H, W)`` shares of the slots of time steps around one frame.
        truth: ``(H, W)`` foreground of that frame.

    Raises:
        ValueError: sizes differ.

    Reference: the evaluation of motion grouping that official shvdiwnkozbw/SMTC holds.
    """
    maps, truth = np.asarray(maps), np.asarray(truth) != 0
    if maps.ndim != 4 or maps.shape[2:] != truth.shape:
        raise ValueError(
            f'maps are {maps.shape}, the truth is {truth.shape}; enlarge maps to '
            '(t, s, H, W).'
        )
    planes = _stretched(maps) > _CHOSEN
    fits, misses = (
        region_similarity(planes, np.broadcast_to(plane, planes.shape))
        for plane in (truth, ~truth)
    )
    chosen = fits > misses  # (t, s)
    merged = (maps * chosen[..., None, None]).sum(1)
    mean = _stretched(merged.mean(0))
    return Merged(merged, mean, float(region_similarity(mean > _CHOSEN, truth)))


def best_candidate(region: np.ndarray) -> tuple[int, float]:
    """The track of largest mean J over annotated frames, and that mean: an oracle.

    Args:
        region: ``(n, t)`` J of tracks with the foreground of annotated frames.

    Raises:
        ValueError: there is no track or no frame.
    """
    if region.ndim != 2 or not region.size:
        raise ValueError(
            f'J of candidates are {region.shape}; give (candidates, annotated frames), '
            'at least one of each.'
        )
    means = region.mean(1)
    best = int(means.argmax())
    return best, float(means[best])


def _stretched(maps: np.ndarray) -> np.ndarray:
    """``(..., H, W)`` from 0 at their least to 1 at their largest value."""
    least, most = (f(maps, axis=(-2, -1), keepdims=True) for f in (np.min, np.max))
    return (maps - least) / np.where(most > least, most - least, 1)
