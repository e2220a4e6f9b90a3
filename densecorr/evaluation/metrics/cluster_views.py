"""Cluster maps of images in the colours of their classes, and scores of images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from densecorr.evaluation.functional.cluster_matching import (
    Contingency,
    add_tables,
    match_clusters,
    matched_scores,
    merge_matched,
    one_to_one,
)
from densecorr.evaluation.metrics.seg_tables import (
    shown_places,
    shown_size,
    write_shown,
)
from densecorr.structures import LabelledImage
from densecorr.utils.segment_colors import segment_map

_FRAMES = 32  # of a clip, of which maps are kept at most


class Assigned(NamedTuple):
    """Clusters of the images of one frame, one clip, or a whole set.

    Attributes:
        tables: counts of every image.
        assign: place of an image and (H, W) to its clusters at that size; None where
            there are no clusters.
    """

    tables: list[Contingency]
    assign: Callable[[int, tuple[int, int]], np.ndarray] | None


def image_scores(tables: Sequence[Contingency]) -> list[float | None]:
    """Mean IoU of every image by the matching of all; None where nothing counts."""
    whole = add_tables(tables)
    matched = match_clusters(whole)
    scores: list[float | None] = []
    for table in tables:
        own = matched[np.searchsorted(whole.clusters, table.clusters)]
        counts = len(table.classes)
        scores.append(matched_scores(table, own).miou if counts else None)
    return scores


def matched_confusion(tables: Iterable[Contingency]) -> Contingency:
    """Annotated against matched classes over units, each matched by itself."""
    return add_tables(merge_matched(table, match_clusters(table)) for table in tables)


def keep_maps(
    out_dir: str,
    view: str,
    images: Sequence[LabelledImage],
    found: Assigned,
    scores: Sequence[float | None],
    number: int | None,
) -> None:
    """Write cluster maps for the report, see :func:`write_shown`.

    Matched clusters (one to one, by IoU) have the colour of their class, so it stays
    from frame to frame; the others have pale ones.

    Args:
        out_dir: of the results.
        view: see :mod:`densecorr.evaluation.metrics.seg_tables`.
        images: of the unit.
        found: their clusters.
        scores: of :func:`image_scores`.
        number: of the best and of the worst images; None: all, of a long clip some.
    """
    assert found.assign is not None  # callers have looked
    whole = add_tables(found.tables)
    matched = match_clusters(whole)
    known = np.zeros(len(matched), bool)
    known[one_to_one(whole)[1]] = True
    for place in _places(scores, number):
        size = shown_size(images[place].read_labels().indices.shape)
        pred = found.assign(place, size)
        labels = segment_map(pred, whole.clusters, matched, known)
        write_shown(out_dir, view, images[place].name, labels)


def _places(scores: Sequence[float | None], number: int | None) -> list[int]:
    if number is not None:
        known = [np.nan if score is None else score for score in scores]
        return shown_places(known, number)
    shown = min(len(scores), _FRAMES)
    return sorted({round(x) for x in np.linspace(0, len(scores) - 1, shown).tolist()})
