"""What an evaluation of single images has left in its folder.

The files are those that :mod:`densecorr.evaluation.metrics.seg_tables` lists; each of
them may be missing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.apis.report.results import Results, read_table
from densecorr.evaluation.metrics.seg_tables import FOLDER
from densecorr.structures import LabelledImage
from densecorr.utils.images import read_label_map
from densecorr.utils.segment_colors import class_label
from densecorr.visualization.panels import Panel

BACKGROUND = 'background'
_COLUMNS = 4  # of each of the two tables that are read here


@dataclass(frozen=True)
class Segments:
    """Label maps, scores and confusions of the views of a run.

    Attributes:
        out: the results folder.
        views: names, in the order of the tables.
        scores: by view, of every image that has one; fractions.
        clips: by clip, names of its images; single images are clips of one.
        confusions: by view ``(class, predicted, pixels)``.
        images: of the dataset, by name; empty where it is not there any more.
        names: of the classes, by number.
    """

    out: Path
    views: tuple[str, ...]
    scores: Mapping[str, Mapping[str, float]]
    clips: Mapping[str, Sequence[str]]
    confusions: Mapping[str, Sequence[tuple[int, int, int]]]
    images: Mapping[str, LabelledImage]
    names: Sequence[str]

    def class_name(self, number: int) -> str:
        """Name of a class; objects of videos have numbers only."""
        if number < len(self.names):
            return self.names[number]
        return f'object {number}' if number else BACKGROUND

    def has_map(self, view: str, image: str) -> bool:
        """Whether a label map of an image was kept."""
        return self._path(view, image).is_file()

    def panels(self, image: str, views: Sequence[str]) -> list[Panel]:
        """The image, its labels, and its maps of some views; what can be read."""
        source = self.images.get(image)
        panels = []
        if source is not None:
            try:
                labels = class_label(source.read_labels().indices).astype(np.uint8)
                panels = [
                    Panel('image', source.read_image()),
                    Panel('labels', labels),
                ]
            except (ValueError, OSError):
                panels = [Panel('image', None), Panel('labels', None)]
        return [*panels, *(Panel(view, self._map(view, image)) for view in views)]

    def clip_score(self, view: str, clip: str) -> float | None:
        """Mean over the images of a clip that have a score."""
        known = self.scores.get(view, {})
        values = [known[image] for image in self.clips[clip] if image in known]
        return sum(values) / len(values) if values else None

    def _map(self, view: str, image: str) -> np.ndarray | None:
        try:
            return read_label_map(self._path(view, image))[0]
        except (ValueError, OSError):
            return None

    def _path(self, view: str, image: str) -> Path:
        return self.out / FOLDER / view / f'{image}.png'


def is_of_images(results: Results) -> bool:
    """Whether a results folder is that of an evaluation of single images."""
    return 'num_images' in results.content


def read_segments(results: Results, dataset: Any) -> Segments:
    """Read the tables of a folder.

    Args:
        results: of the folder.
        dataset: of :class:`LabelledImage`; None where it is not there any more.
    """
    scores: dict[str, dict[str, float]] = {}
    clips: dict[str, list[str]] = {}
    for view, image, clip, score in _rows(results, 'per_image.csv'):
        known = scores.setdefault(view, {})
        if score and math.isfinite(float(score)):
            known[image] = float(score)
        members = clips.setdefault(clip, [])
        if image not in members:
            members.append(image)
    confusions: dict[str, list[tuple[int, int, int]]] = {}
    for view, *numbers in _rows(results, 'confusion.csv'):
        target, pred, pixels = (int(number) for number in numbers)
        confusions.setdefault(view, []).append((target, pred, pixels))
    facts = results.content.get('dataset') or {}
    items = () if dataset is None else (dataset[i] for i in range(len(dataset)))
    return Segments(
        out=results.path,
        views=tuple(dict.fromkeys([*scores, *confusions])),
        scores=scores,
        clips=clips,
        confusions=confusions,
        images={item.name: item for item in items},
        names=list(facts.get('classes') or ()),
    )


def _rows(results: Results, name: str) -> list[list[str]]:
    """Rows of a table that have all its cells."""
    return [r for r in read_table(results.path / name)[1] if len(r) == _COLUMNS]
