"""One page that compares evaluations: means, noise, videos, factors that differ."""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from densecorr.apis.diff import KINDS, Diff, Result, diff_of, read_result
from densecorr.apis.diff.words import value_text
from densecorr.apis.object_scores import (
    MEASURE,
    ObjectScores,
    check_same_objects,
    paired_test,
    read_object_scores,
)
from densecorr.apis.report.numbers import notes_of, percent
from densecorr.apis.report.templates import FOLDER, page_template
from densecorr.evaluation.functional.bootstrap import Interval, holm
from densecorr.utils.files import write_atomic

MEASURES = (MEASURE, 'J-Mean', 'F-Mean')
_LETTERS = string.ascii_uppercase
_MARGIN = 0.06  # of the axis, at both ends
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2)  # steps of the axis
_MOST_TICKS = 6
_METHODS = {
    'bootstrap-t': 'bootstrap-t, whole videos resampled',
    'student-t': "Student's t over the videos, too few to resample",
}
_CLEAR = 0.05  # of p: below it a difference is more than noise


def write_comparison(results: Sequence[str | Path], out: str | Path) -> Path:
    """Write the page; equal results give equal bytes.

    Args:
        results: two or more results folders with ``metrics.json`` and
            ``per_object.csv``, of the same videos; the others are compared with the
            first.
        out: the file, ``*.html``.

    Returns:
        ``out``.

    Raises:
        FileNotFoundError: a folder lacks one of the files.
        ValueError: fewer than two folders, other tasks, datasets, videos or objects,
            fewer than two videos, or a file that cannot be used; it is named.
    """
    if not 2 <= len(results) <= len(_LETTERS):
        raise ValueError(
            f'{len(results)} results were given; compare 2 to {len(_LETTERS)}.'
        )
    found = [read_result(path) for path in results]
    diffs = [diff_of(found[0], other) for other in found[1:]]
    scores = [read_object_scores(result.folder) for result in found]
    for other in scores[1:]:
        check_same_objects(scores[0], other)
    write_atomic(Path(out), _render(found, diffs, scores))
    return Path(out)


def _render(
    found: Sequence[Result], diffs: Sequence[Diff], scores: Sequence[ObjectScores]
) -> str:
    intervals = [[item.interval(m) for m in MEASURES] for item in scores]
    facts = found[0].content.get('dataset') or {}
    main = [row[0] for row in intervals]
    return page_template('comparison.html').render(
        title=f'{len(found)} results on {facts.get("name")} {facts.get("split")}',
        style=Markup((FOLDER / 'style.css').read_text('utf-8')),
        notes=list(dict.fromkeys(n for r in found for n in notes_of(r.content))),
        counts=f'{main[0].num_objects} objects of {main[0].num_videos} videos',
        method=_METHODS[main[0].method],
        level=f'{100 * main[0].level:g}',
        names=[_name(result) for result in found],
        letters=_LETTERS[: len(found)],
        measures=MEASURES,
        means=[[_interval_text(cell) for cell in row] for row in intervals],
        chart=_chart(main),
        pairs=_pairs(scores),
        videos=_videos(scores),
        factors=_factors(diffs),
        equal=_common([diff.equal for diff in diffs]),
        unknown=list(dict.fromkeys(k for diff in diffs for k in diff.unknown)),
    )


def _name(result: Result) -> str:
    """The last parts of the folder, and the protocol: no path of a machine."""
    folder = '/'.join(result.folder.resolve().parts[-2:])
    protocol = (result.content.get('protocol') or {}).get('name')
    return f'{folder}, protocol {protocol}' if protocol else folder


def _interval_text(found: Interval) -> dict[str, str]:
    return dict(
        mean=percent(found.mean), ends=f'{percent(found.low)} to {percent(found.high)}'
    )


def _chart(main: Sequence[Interval]) -> dict[str, Any]:
    """Places of means, intervals and ticks on an axis, in percent of its width."""
    low, high = min(i.low for i in main), max(i.high for i in main)
    room = _MARGIN * max(high - low, _TICKS[0])
    low, high = low - room, high + room

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    step = next((s for s in _TICKS if (high - low) / s <= _MOST_TICKS), _TICKS[-1])
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    return dict(
        ticks=[
            dict(at=place(t), text=f'{round(100 * t) + 0:d}') for t in ticks.tolist()
        ],
        rows=[
            dict(
                mean=place(i.mean),
                left=place(i.low),
                width=round(place(i.high) - place(i.low), 2),
            )
            for i in main
        ],
    )


def _pairs(scores: Sequence[ObjectScores]) -> list[dict[str, Any]]:
    """Paired test of every two results, the later minus the earlier one."""
    numbers = list(itertools.combinations(range(len(scores)), 2))
    tests = [paired_test(scores[later], scores[first]) for first, later in numbers]
    corrected = holm([test.p_value for test in tests])
    return [
        dict(
            name=f'{_LETTERS[later]} - {_LETTERS[first]}',
            difference=_points(test.difference),
            ends=f'{_points(test.low)} to {_points(test.high)}',
            p=f'{test.p_value:.2g}',
            corrected=f'{p:.2g}',
            told_apart=p < _CLEAR,
        )
        for (first, later), test, p in zip(numbers, tests, corrected, strict=True)
    ]


def _videos(scores: Sequence[ObjectScores]) -> list[dict[str, Any]]:
    """J&F of every video: means over its objects, and differences to the first."""
    rows = []
    for video in sorted(set(scores[0].videos)):
        means = [
            float(np.mean(item.of(MEASURE)[np.array(item.videos) == video]))
            for item in scores
        ]
        rows.append(
            dict(
                video=video,
                objects=scores[0].videos.count(video),
                means=[percent(mean) for mean in means],
                differences=[_points(mean - means[0]) for mean in means[1:]],
            )
        )
    return rows


def _factors(diffs: Sequence[Diff]) -> list[dict[str, Any]]:
    """Every field in which a result differs from the first, with all values."""
    rows: dict[tuple[str, str], list[Any]] = {}
    for place, diff in enumerate(diffs, 1):
        for item in diff.differences:
            key = (item.kind, item.field)
            values = rows.setdefault(key, [item.first] * (len(diffs) + 1))
            values[place] = item.second
    return [
        dict(
            kind=kind,
            field=field,
            cells=[value_text(value) for value in values],
            changed=[value != values[0] for value in values],
        )
        for (kind, field), values in sorted(rows.items(), key=_by_kind)
    ]


def _by_kind(row: tuple[tuple[str, str], list[Any]]) -> int:
    """Place of the kind of a row; fields of one kind keep their order."""
    return KINDS.index(row[0][0])


def _common(lists: Sequence[Sequence[str]]) -> list[str]:
    """What all lists have, in the order of the first."""
    return [name for name in lists[0] if all(name in other for other in lists)]


def _points(value: float) -> str:
    """A difference of fractions in percent points; never -0.0."""
    return f'{round(100 * value, 1) + 0.0:+.1f}'
