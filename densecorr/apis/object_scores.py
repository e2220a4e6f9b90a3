"""``per_object.csv`` of results folders: scores of objects, and pairs of them."""

from __future__ import annotations

import contextlib
import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densecorr.evaluation.functional.bootstrap import (
    Interval,
    PairedDifference,
    bootstrap_interval,
    paired_bootstrap,
)
from densecorr.utils.suggest import suggest

FILE = 'per_object.csv'
MEASURE = 'J&F-Mean'
_PARTS = ('J-Mean', 'F-Mean')  # their mean is MEASURE
_VIDEO, _OBJECT = 'Sequence', 'Object'
_SHOWN = 5  # names in a message


@dataclass(frozen=True)
class ObjectScores:
    """Scores of the objects of a result.

    Attributes:
        path: of the file.
        videos: ``(o,)`` the video of each object.
        objects: ``(o,)`` its number in the annotations, as text.
        scores: measure to ``(o,)`` fractions: the means of the file and their mean.
    """

    path: Path
    videos: tuple[str, ...]
    objects: tuple[str, ...]
    scores: dict[str, np.ndarray]

    @property
    def names(self) -> tuple[str, ...]:
        """``(o,)`` name of each object: ``dog 1``."""
        pairs = zip(self.videos, self.objects, strict=True)
        return tuple(f'{video} {number}' for video, number in pairs)

    def interval(self, measure: str = MEASURE, level: float = 0.95) -> Interval:
        """Mean over the objects with its confidence interval.

        Raises:
            ValueError: fewer than two videos; names the file.
        """
        with _naming(self.path):
            return bootstrap_interval(self.of(measure), self.videos, level)

    def of(self, measure: str) -> np.ndarray:
        """``(o,)`` the scores by one measure."""
        if measure not in self.scores:
            raise KeyError(
                f'{self.path} has no {measure!r}. {suggest(measure, self.scores)}'
            )
        return self.scores[measure]


def read_object_scores(results: str | Path) -> ObjectScores:
    """Read ``per_object.csv``.

    Args:
        results: the file, or the results folder that holds it.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no such table, an object stands in it twice or has no score.
    """
    path = Path(results)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(
            f'there is no {path}. Runs of tools/test.py and tools/score.py write it '
            'for tasks with J and F: davis, davis16, ytvos18, ytvos19, spriteworld.'
        )
    with path.open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    lacking = {_VIDEO, _OBJECT, *_PARTS} - set(rows[0] if rows else ())
    if lacking:
        raise ValueError(
            f'{path} is not a table of objects: it lacks {sorted(lacking)}.'
            if rows
            else f'{path} has no rows: nothing was scored.'
        )
    parts = {name: np.array([_number(row, name, path) for row in rows])
             for name in _PARTS}  # fmt: skip
    found = ObjectScores(
        path,
        tuple(row[_VIDEO] for row in rows),
        tuple(row[_OBJECT] for row in rows),
        {MEASURE: np.mean(list(parts.values()), axis=0), **parts},
    )
    twice = sorted(n for n, times in Counter(found.names).items() if times > 1)
    if twice:
        raise ValueError(f'{path} has objects twice: {twice[:_SHOWN]}.')
    return found


def paired_test(
    first: ObjectScores,
    second: ObjectScores,
    measure: str = MEASURE,
    level: float = 0.95,
) -> PairedDifference:
    """First minus second over the same objects, with interval and p value.

    Raises:
        ValueError: the two have other videos or objects, which are named; fewer than
            two videos.
    """
    check_same_objects(first, second)
    places = {name: place for place, name in enumerate(second.names)}
    order = [places[name] for name in first.names]
    with _naming(first.path):
        return paired_bootstrap(
            first.of(measure), second.of(measure)[order], first.videos, level
        )


def check_same_objects(first: ObjectScores, second: ObjectScores) -> None:
    """Refuse two results that cannot be paired.

    Raises:
        ValueError: videos or objects of one are not in the other; names them.
    """
    for what in ('videos', 'names'):
        ours, theirs = (set(getattr(item, what)) for item in (first, second))
        if ours != theirs:
            kind = 'videos' if what == 'videos' else 'objects'
            raise ValueError(
                f'{first.path} and {second.path} have other {kind}: only the first has '
                f'{_few(ours - theirs)}, only the second {_few(theirs - ours)}. '
                'Compare results of the same videos: evaluate both with the same '
                '--sequences.'
            )


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Puts the file before a message about its scores."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _number(row: dict[str, str], name: str, path: Path) -> float:
    """A score of a row, or an error that names the object."""
    thing = f'{path}: object {row[_OBJECT]} of {row[_VIDEO]}'
    try:
        value = float(row[name])
    except (TypeError, ValueError):
        value = float('nan')
    if not 0 <= value <= 1:
        raise ValueError(
            f'{thing} has {name} {row[name]!r}, not a fraction. Score the results '
            'again, or leave the video out of both.'
        )
    return value


def _few(names: set[str]) -> str:
    listed = sorted(names)
    if not listed:
        return 'none'
    more = f' and {len(listed) - _SHOWN} more' if len(listed) > _SHOWN else ''
    return f'{", ".join(listed[:_SHOWN])}{more}'
