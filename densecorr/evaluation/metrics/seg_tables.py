"""What an evaluation of labelled images leaves for its report, whatever the metric.

A metric of :class:`densecorr.engine.feature_loop.FeatureTestLoop` may leave, in its
results folder; the report shows what it finds and needs none of it:

``predictions/<view>/<image>.png``
    Label maps of some images, :func:`write_shown`. A view is one way to label them, a
    path such as ``prediction`` or ``clip/K-10``. The folder is the metric's attribute
    ``out_dir``, which the loop sets; None: nothing is written. A job writes before its
    record is kept, so an interrupted run goes on with all of them.
``per_image.csv``
    The score of every image in every view, :func:`per_image_csv`; the images with the
    best and the worst are shown, and clips in the order of their means.
``confusion.csv``
    Pixels by annotated and predicted class over the whole set,
    :func:`confusion_csv`; classes are numbers, their names are ``classes`` of the
    dataset's metainfo.
``per_class.csv``
    Any columns; fractions (cells with a point) are shown in percent.

The csv texts are results of the metric's ``tables``. In a label map numbers below 128
are classes, those from 128 to 254 clusters that no class was found for, and 255 is
void, as in :func:`densecorr.utils.segment_colors.segment_palette`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from densecorr.evaluation.functional.cluster_matching import Contingency
from densecorr.utils.images import resize_nearest, write_label_map
from densecorr.utils.segment_colors import segment_palette
from densecorr.utils.tables import format_csv

FOLDER = 'predictions'
SIDE = 320  # pixels of the longer side of a map that is kept
_DECIMALS = 6


class ImageScore(NamedTuple):
    """A row of ``per_image.csv``.

    Attributes:
        view: see the module.
        image: its name.
        clip: that it belongs to; its own name where there is none.
        miou: fraction; NaN where nothing counts.
    """

    view: str
    image: str
    clip: str
    miou: float


def per_image_csv(scores: Iterable[ImageScore]) -> str:
    """``View,Image,Clip,mIoU``."""
    return format_csv(scores, ['View', 'Image', 'Clip', 'mIoU'], _DECIMALS)


def confusion_csv(tables: Iterable[tuple[str, Contingency]]) -> str:
    """``View,Class,Predicted,Pixels`` of every pair that occurs.

    Args:
        tables: view, and counts whose ``clusters`` are predicted classes.
    """
    rows = [[view, *pair] for view, table in tables for pair in _pairs(table)]
    return format_csv(rows, ['View', 'Class', 'Predicted', 'Pixels'], _DECIMALS)


def _pairs(table: Contingency) -> list[list[int]]:
    rows, columns = np.nonzero(table.counts)
    parts = (table.classes[rows], table.clusters[columns], table.counts[rows, columns])
    return np.stack(parts, axis=1).tolist()


def write_shown(
    out_dir: str | Path, view: str, image: str, label_map: np.ndarray
) -> None:
    """Keep a label map for the report, its longer side at most 320 pixels.

    Args:
        out_dir: the results folder.
        view: see the module.
        image: name of the image; ``/`` makes folders.
        label_map: ``(H, W)`` integers in 0..255, see the module.
    """
    path = Path(out_dir) / FOLDER / view / f'{image}.png'
    write_label_map(path, shrunk(label_map), segment_palette())


def shrunk(label_map: np.ndarray, side: int = SIDE) -> np.ndarray:
    """``label_map`` with its longer side at most ``side`` pixels, uint8."""
    height, width = label_map.shape
    longer = max(height, width)
    small = np.asarray(label_map).astype(np.uint8)
    if longer <= side:
        return small
    size = [max(1, round(length * side / longer)) for length in (height, width)]
    return resize_nearest(small, (size[0], size[1]))


def shown_places(scores: Sequence[float], number: int) -> list[int]:
    """Places of the ``number`` worst and best images, the worst first.

    Those without a score (NaN) are never chosen; few images are all chosen, once.
    """
    values = np.asarray(scores, np.float64)
    order = np.argsort(values, kind='stable')
    known = order[: int(np.isfinite(values).sum())].tolist()
    if len(known) <= 2 * number:
        return known
    return [*known[:number], *known[len(known) - number :]]
