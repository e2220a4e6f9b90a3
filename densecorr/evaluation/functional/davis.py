"""Scores of all objects of a frame, matching of proposals, summary (DAVIS 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from densecorr.evaluation.functional.bitplanes import dilate_disk, pack
from densecorr.evaluation.functional.boundary import (
    BOUND_TH,
    boundary_f,
    boundary_map,
    boundary_tolerance,
)
from densecorr.evaluation.functional.statistics import series_statistics

STATISTICS = ('Mean', 'Recall', 'Decay')
GLOBAL_NAMES = ('J&F-Mean', *(f'{m}-{s}' for m in 'JF' for s in STATISTICS))


class _Region(NamedTuple):
    """What the scores need of one region: bit planes and counts."""

    area: int
    edge: int
    near: int  # the edge dilated by the tolerance
    num_area: int
    num_edge: int


_EMPTY = _Region(0, 0, 0, 0, 0)


def frame_scores(
    pred: np.ndarray,
    target: np.ndarray,
    object_ids: Sequence[int],
    void: np.ndarray | None = None,
    bound_th: float = BOUND_TH,
) -> tuple[np.ndarray, np.ndarray]:
    """J and F of every object of one frame, object k against label k.

    Equal to ``region_similarity`` and ``boundary_accuracy`` of ``pred == k`` and
    ``target == k``, but works on the box around the object in both maps.

    Args:
        pred: ``(H, W)`` predicted labels, integers.
        target: ``(H, W)`` annotated labels.
        object_ids: the labels to score, any numbers but 0.
        void: ``(H, W)`` pixels that belong to no object in either map.
        bound_th: tolerance, see :func:`boundary_tolerance`.

    Returns:
        J ``(o,)`` and F ``(o,)``, float64 in [0, 1].
    """
    pred, target = _prepare(pred, target, void)
    radius = boundary_tolerance(target.shape, bound_th)
    pred, target = _crop(pred != 0, target != 0, pred, target)
    scores = np.ones((2, len(object_ids)))
    # a loop, because every object has a box of its own: boxes are small, maps are not
    for index, label in enumerate(object_ids):
        planes = (pred == label, target == label)
        regions = [_region(plane, radius) for plane in _crop(*planes, *planes)]
        scores[:, index] = _compare(*regions)
    return scores[0], scores[1]


def pair_scores(
    pred: np.ndarray,
    target: np.ndarray,
    proposal_ids: Sequence[int],
    object_ids: Sequence[int],
    void: np.ndarray | None = None,
    bound_th: float = BOUND_TH,
) -> tuple[np.ndarray, np.ndarray]:
    """J and F of every proposal with every object of one frame.

    Boundaries and their dilations are made once per proposal and once per object.
    Arguments as in :func:`frame_scores`.

    Returns:
        J and F, ``(proposals, objects)`` each, float64 in [0, 1].
    """
    pred, target = _prepare(pred, target, void)
    radius = boundary_tolerance(target.shape, bound_th)
    pred, target = _crop(pred != 0, target != 0, pred, target)
    rows = [_region(pred == label, radius) for label in proposal_ids]
    columns = [_region(target == label, radius) for label in object_ids]
    return _compare_all(rows, columns)


def mask_scores(
    proposals: np.ndarray,
    objects: np.ndarray,
    void: np.ndarray | None = None,
    bound_th: float = BOUND_TH,
) -> tuple[np.ndarray, np.ndarray]:
    """J and F of every proposal with every object of one frame; masks may overlap.

    As :func:`pair_scores`, but proposals and objects are masks of their own.

    Args:
        proposals: ``(n, H, W)``; everything but 0 belongs to one.
        objects: ``(k, H, W)`` likewise.
        void: ``(H, W)`` pixels to take out of all.
        bound_th: tolerance, see :func:`boundary_tolerance`.

    Returns:
        J and F, ``(n, k)`` each, float64 in [0, 1].

    Raises:
        ValueError: sizes differ.
    """
    proposals, objects = np.asarray(proposals) != 0, np.asarray(objects) != 0
    sizes = [x.shape[1:] for x in (proposals, objects)]
    sizes += [] if void is None else [np.asarray(void).shape]
    if any(len(size) != 2 or size != sizes[0] for size in sizes):
        raise ValueError(
            f'Masks of one frame should be (n, H, W) of one size, not {sizes}. Are the '
            'proposals those of another data set?'
        )
    if void is not None:
        valid = np.asarray(void) == 0
        proposals, objects = proposals & valid, objects & valid
    radius = boundary_tolerance(sizes[0], bound_th)
    rows, columns = (
        [_region(plane, radius) for plane in np.ascontiguousarray(planes)]
        for planes in (proposals, objects)
    )
    return _compare_all(rows, columns)


def match_objects(
    *scores: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Assign proposals to objects so that the mean score is largest.

    Args:
        scores: one array ``(proposals, objects, frames)`` per measure; the score of a
            pair is the mean over frames, then over measures.

    Returns:
        Proposals and their objects, both from 0 and ``(matches,)``, ordered by
        proposal: row r of the official table is the object ``objects[r]``.

    Note: the official table names its rows ``<sequence>_1..n`` in this order, so they
        are not the objects 1..n. Means over the data set are not affected.
    """
    if not scores or any(s.ndim != 3 or s.shape != scores[0].shape for s in scores):
        raise ValueError(
            'match_objects takes equal (proposals, objects, frames) arrays, not '
            f'{[s.shape for s in scores]}.'
        )
    means = [np.mean(measure, axis=2) for measure in scores]
    return linear_sum_assignment(-sum(means[1:], means[0]) / len(means))


def summarize(
    region: Sequence[np.ndarray], boundary: Sequence[np.ndarray]
) -> dict[str, float]:
    """The seven global numbers of DAVIS, fractions, averaged over objects.

    Args:
        region: per-frame J of every object of every sequence.
        boundary: per-frame F likewise.

    Raises:
        ValueError: there is no object.
    """
    if not region or len(region) != len(boundary):
        raise ValueError(
            f'There are {len(region)} series of J and {len(boundary)} of F to '
            'summarize; there must be one of each per object, and at least one object.'
        )
    numbers = [0.0]
    for series in (region, boundary):
        statistics = np.array([series_statistics(scores) for scores in series])
        numbers += [float(number) for number in statistics.mean(axis=0)]
    summary = dict(zip(GLOBAL_NAMES, numbers, strict=True))
    summary['J&F-Mean'] = (summary['J-Mean'] + summary['F-Mean']) / 2
    return summary


def _prepare(
    pred: np.ndarray, target: np.ndarray, void: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    pred, target = np.asarray(pred), np.asarray(target)
    maps = [pred, target] + ([] if void is None else [np.asarray(void)])
    if target.ndim != 2 or any(m.shape != target.shape for m in maps):
        raise ValueError(
            f'Maps of one frame should be (H, W) and equal in size, not '
            f'{[m.shape for m in maps]}. Predict at the size of the annotation.'
        )
    if void is None:
        return pred, target
    valid = ~np.asarray(void).astype(bool)
    return pred * valid, target * valid


def _crop(first: np.ndarray, second: np.ndarray, *maps: np.ndarray) -> list[np.ndarray]:
    """Cut maps to the box of two bool planes and a margin of one pixel.

    Boundary pixels lie in the box or one pixel above or left of it, and the margin
    below and right tells the boundary map that the object ends there.
    """
    x, y, width, height = cv2.boundingRect((first | second).view(np.uint8))
    rows = slice(max(y - 1, 0), y + height + 1)
    columns = slice(max(x - 1, 0), x + width + 1)
    return [m[rows, columns] if width else m[:0, :0] for m in maps]


def _region(plane: np.ndarray, radius: int) -> _Region:
    if not plane.any():
        return _EMPTY
    stride = plane.shape[1] + radius
    area, edge = pack(plane, stride), pack(boundary_map(plane), stride)
    near = dilate_disk(edge, stride, radius)
    return _Region(area, edge, near, area.bit_count(), edge.bit_count())


def _compare_all(
    rows: Sequence[_Region], columns: Sequence[_Region]
) -> tuple[np.ndarray, np.ndarray]:
    """J and F of all pairs."""
    pairs = [[_compare(row, column) for column in columns] for row in rows]
    scores = np.array(pairs, np.float64).reshape(len(rows), len(columns), 2)
    return scores[..., 0], scores[..., 1]


def _compare(pred: _Region, target: _Region) -> tuple[float, float]:
    """J and F of two regions that were packed from planes of one size."""
    inter = (pred.area & target.area).bit_count()
    union = pred.num_area + target.num_area - inter
    return (
        inter / union if union else 1.0,
        boundary_f(
            pred.num_edge,
            target.num_edge,
            (pred.edge & target.near).bit_count(),
            (target.edge & pred.near).bit_count(),
        ),
    )
