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
from densecorr.evaluation.metrics.cluster_tables import to_triples
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
    rows = [[view, *pair] for view, table in tables for pair in to_triples(table)]
    return format_csv(rows, ['View', 'Class', 'Predicted', 'Pixels'], _DECIMALS)


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
    small = resize_nearest(
        np.asarray(label_map).astype(np.uint8), shown_size(label_map.shape)
    )
    write_label_map(path, small, segment_palette())


def shown_size(size: Sequence[int]) -> tuple[int, int]:
    """(H, W) with the longer side at most 320 pixels."""
    longer = max(size)
    if longer <= SIDE:
        return size[0], size[1]
    height, width = (max(1, round(length * SIDE / longer)) for length in size)
    return height, width


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


def check_pictures(number: int) -> int:
    """The option ``pictures`` of a metric.

    Raises:
        ValueError: it is negative.
    """
    if number < 0:
        raise ValueError(
            f'pictures is {number}; give how many of the best and of the worst images '
            'the report shows, 0 for none.'
        )
    return number
