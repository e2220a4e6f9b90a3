"""Which setting of a sweep is best, and which others noise cannot tell from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from densecorr.apis.report.measures import main_measure
from densecorr.evaluation.functional.bootstrap import paired_bootstrap

_J_AND_F = 'J&F-Mean'
_PARTS = ('J-Mean', 'F-Mean')  # the mean of both is J&F
_VIDEO_COLUMNS = ('Sequence', 'Video')


@dataclass(frozen=True)
class Behind:
    """How far a setting lies behind the best one.

    Attributes:
        difference: score of the best minus its own; means over objects (or videos).
        low: lower end of the 95 % interval.
        high: upper end.
        p_value: of the paired test.
    """

    difference: float
    low: float
    high: float
    p_value: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Ranking:
    """The settings by the task's main measure.

    Attributes:
        measure: its name; None where nothing could be scored.
        order: numbers of the settings, best first.
        behind: by setting, against the best one; None where noise is unknown.
        units: ``'objects'`` or ``'videos'``, of which the noise is that of the mean.
        note: why noise is unknown, or empty.
    """

    measure: str | None
    order: list[int]
    behind: list[Behind | None]
    units: str
    note: str = ''

    @property
    def best(self) -> int:
        """Number of the best setting."""
        return self.order[0]

    def similar(self) -> list[int]:
        """Settings, besides the best, that noise cannot tell from it."""
        return [
            i
            for i in self.order[1:]
            if (found := self.behind[i]) is not None and not found.told_apart
        ]


def rank(settings: Sequence[Mapping[str, Any]]) -> Ranking:
    """Order the settings and compare each with the best.

    Args:
        settings: for each ``metrics`` and ``tables`` as a
            :class:`densecorr.engine.sweep_loop.SweepLoop` gives them.
    """
    count = len(settings)
    names = [main_measure(item['metrics']) for item in settings]
    measure = next((name for name in names if name), None)
    if measure is None:
        note = 'nothing could be scored'
        return Ranking(None, list(range(count)), [None] * count, 'objects', note)
    scores = [float(item['metrics'].get(measure, 0.0)) for item in settings]
    order = sorted(range(count), key=lambda i: (-scores[i], i))
    found = [unit_scores(item['tables'], measure) for item in settings]
    units = found[0][0]
    best = found[order[0]]
    behind: list[Behind | None] = []
    for _, videos, values in found:
        if videos != best[1]:  # another set counts in another setting
            behind.append(None)
            continue
        try:
            test = paired_bootstrap(best[2], values, videos)
        except ValueError as error:
            return Ranking(measure, order, [None] * count, units, str(error))
        behind.append(Behind(test.difference, test.low, test.high, test.p_value))
    return Ranking(measure, order, behind, units)


def unit_scores(
    tables: Mapping[str, str], measure: str
) -> tuple[str, tuple[str, ...], np.ndarray]:
    """Scores of objects, or of videos, by a measure, from the texts of csv files.

    Args:
        tables: texts by file name.
        measure: its name; that of the column, or J&F.

    Returns:
        ``'objects'`` or ``'videos'``; ``(o,)`` video of each; ``(o,)`` scores.
    """
    for name, units in (('per_object.csv', 'objects'), ('per_video.csv', 'videos')):
        rows = list(csv.DictReader(io.StringIO(tables.get(name, ''))))
        if not rows:
            continue
        columns = _columns(measure, rows[0])
        if columns is None:
            continue
        video = next(column for column in _VIDEO_COLUMNS if column in rows[0])
        known = [row for row in rows if all(row[column] for column in columns)]
        values = [[float(row[column]) for column in columns] for row in known]
        means = np.array(values).reshape(len(known), -1).mean(1)
        return units, tuple(row[video] for row in known), means
    return 'videos', (), np.empty(0)


def _columns(measure: str, row: Mapping[str, str]) -> list[str] | None:
    """Columns of which the mean is a measure; None where a table lacks them."""
    if measure in row:
        return [measure]
    if measure == _J_AND_F and all(part in row for part in _PARTS):
        return list(_PARTS)
    return None
