"""Numbers of an evaluation as tables, bars and curves for the page."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

from densecorr.apis.report.measures import is_unknown, main_measure
from densecorr.apis.report.results import Results, VideoFiles
from densecorr.apis.votes import frame_means as means_of_record
from densecorr.utils.tables import format_table

_DIGITS = 6  # of a fraction in the page
_OBJECT_MEASURES = ('J', 'F')
_PLURAL = dict(object='objects', part='parts', joint='joints')
_NOTED = ('dataset', 'protocol', 'weights', 'candidates')  # parts with a note
_SHOWN = 200  # letters of a value of the fingerprint


def percent(value: float | None) -> str:
    """A fraction as percent with one digit; ``-`` where it is not known."""
    return '-' if is_unknown(value) else f'{100 * float(value or 0):.1f}'


def notes_of(content: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers must know: a part of a split, another stride."""
    places = [content.get(key) or {} for key in _NOTED]
    return [place['note'] for place in places if place.get('note')]


def format_result(content: Mapping[str, Any]) -> str:
    """The numbers of an evaluation as a table for the screen, with its notes."""
    metrics = content['metrics']
    row = {'task': content['task'], 'protocol': content['protocol']['name'], **metrics}
    lines = [format_table([row], list(row)), *notes_of(content)]
    return '\n'.join([*lines, f'results: {content["out"]}'])


def measure_table(results: Results) -> dict[str, Any]:
    """Measures by row; the score and each yardstick by column.

    Returns:
        ``columns``, texts, and ``rows``, lists of texts.
    """
    metrics = results.content.get('metrics') or {}
    others = list(results.yardsticks.values())
    columns = ['measure', 'this run', *(str(o.get('label', '?')) for o in others)]
    rows = [
        [
            name,
            _number(name, value),
            *(_number(name, o['metrics'].get(name)) for o in others),
        ]
        for name, value in metrics.items()
    ]
    return dict(columns=columns, rows=rows)


def score_bars(results: Results) -> dict[str, Any]:
    """The main measure of the run among its yardsticks, the smallest first.

    Returns:
        ``measure``, ``bars`` with ``label``, ``value`` (percent, text), ``width``
        (percent, a number) and ``ours``, and ``sentence``. Empty without a score.
    """
    metrics = results.content.get('metrics') or {}
    measure = main_measure(metrics)
    if measure is None:
        return {}
    score = float(metrics[measure])
    bars = [('this run', score, True)]
    for entry in results.yardsticks.values():
        value = entry['metrics'].get(measure)
        if not is_unknown(value):
            bars.append((str(entry.get('label', '?')), float(value), False))
    bars.sort(key=lambda bar: bar[1])
    return dict(
        measure=measure,
        score=percent(score),
        bars=[
            dict(label=label, value=percent(value), width=_width(value), ours=ours)
            for label, value, ours in bars
        ],
        sentence=_sentence(score, measure, results.yardsticks),
    )


def video_table(results: Results) -> dict[str, Any]:
    """``per_video.csv`` with fractions in percent.

    Where nothing was scored, columns that say nothing are left out.
    """
    columns, rows = results.table
    if results.unscored:
        cells = zip(*rows, strict=True)
        said = [any(cell not in ('', '0') for cell in column) for column in cells]
        columns = list(itertools.compress(columns, said))
        rows = [list(itertools.compress(row, said)) for row in rows]
    return _table((columns, rows))


def part_table(results: Results) -> dict[str, Any]:
    """``per_joint.csv`` or ``per_class.csv`` with fractions in percent."""
    columns, rows = results.parts
    return _table((columns, [[cell or '-' for cell in row] for row in rows]))


def curves(video: VideoFiles) -> dict[str, Any]:
    """Numbers over time: J and F of every object, or the score of every frame.

    Returns:
        ``x``, frame numbers, ``names`` of these frames, ``last``, the number of the
        last frame of the video, ``measures``, names, and ``objects`` with ``label``
        (0 for all together), ``name`` and a series per measure; empty without a
        record.
    """
    names = [str(name) for name in video.scores.get('frames', ())]
    measures, objects = _series(video, len(names))
    if not objects:
        return {}
    numbers = {name: index for index, name in enumerate(video.frame_names)}
    places = [numbers.get(name, place) for place, name in enumerate(names)]
    return dict(
        x=places,
        names=names,
        last=max(len(video.frame_names) - 1, *places, 1),
        measures=measures,
        objects=objects,
    )


def _series(video: VideoFiles, length: int) -> tuple[list[str], list[dict[str, Any]]]:
    """Names of the measures, and the series; those of another length are left out."""
    scores = video.scores.get('frame_scores') or ()
    if not video.objects and len(scores) == length > 0:
        values = [_rounded(value) for value in scores]
        one = {'label': 0, 'name': f'all {_PLURAL[video.thing]}', video.measure: values}
        return [video.measure], [one]
    objects = []
    for place, item in enumerate(video.objects):
        if any(len(item.get(m, ())) != length or not length for m in _OBJECT_MEASURES):
            continue
        label = item.get('object', place + 1)
        series = {m: [_rounded(value) for value in item[m]] for m in _OBJECT_MEASURES}
        objects.append(dict(label=label, name=object_name(label, item), **series))
    return list(_OBJECT_MEASURES), objects


def object_name(label: int, item: Mapping[str, Any]) -> str:
    """``object 2``, with the kind of object where the record tells it."""
    kind = item.get('category')
    return f'object {label} ({kind})' if kind else f'object {label}'


def label_names(video: VideoFiles) -> dict[int, str]:
    """Names of labels, as far as they have others than their numbers; of joints, too.

    Labels count from 1, joints from 0.
    """
    if video.thing == 'joint':
        return dict(enumerate(video.names))
    if video.thing == 'part':
        return {n: name for n, name in enumerate(video.names) if n}
    kinds = dict(video.sample.categories or {}) if video.sample else {}
    kinds |= {o['object']: o['category'] for o in video.objects if o.get('category')}
    return {n: f'object {n} ({kind})' for n, kind in sorted(kinds.items())}


def frame_means(video: VideoFiles) -> dict[int, float]:
    """Score of every frame that counts, by frame number.

    It is the mean of J and F over the objects, or what the metric says of a frame.
    """
    found = curves(video)
    if not found:
        return {}
    numbers = dict(zip(found['names'], found['x'], strict=True))
    record = dict(found, frames=found['names'])
    if not video.objects:
        record = dict(
            frames=found['names'], frame_scores=found['objects'][0][video.measure]
        )
    means = means_of_record(record)
    return {numbers[name]: score for name, score in means.items()}


def video_score(video: VideoFiles, results: Results) -> float | None:
    """The main number of a video: of ``per_video.csv``, or the mean over its frames."""
    columns, rows = results.table
    row = next((row for row in rows if row and row[0] == video.name), [])
    cells = dict(zip(columns, row, strict=False))
    for name in (video.measure, 'J&F-Mean'):
        with contextlib.suppress(ValueError):  # empty where nothing counts
            return float(cells.get(name, ''))
    means = frame_means(video)
    return sum(means.values()) / len(means) if means else None


def flat_fingerprint(fingerprint: Any, path: str = '') -> list[tuple[str, str]]:
    """Dotted names and values of a fingerprint."""
    if isinstance(fingerprint, Mapping) and fingerprint:
        return [
            pair
            for key, value in fingerprint.items()
            for pair in flat_fingerprint(value, f'{path}.{key}' if path else str(key))
        ]
    text = json.dumps(fingerprint, ensure_ascii=False)
    return [(path, text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...')]


def _sentence(
    score: float, measure: str, yardsticks: Mapping[str, Mapping[str, Any]]
) -> str:
    """Where the score lies between the copied first labels and the ceiling."""
    ends = [
        yardsticks.get(name, {}).get('metrics', {}).get(measure)
        for name in ('copy', 'ceiling')
    ]
    if any(is_unknown(value) for value in ends):
        return ''
    low, high = (float(value) for value in ends)
    if high - low < 10**-_DIGITS:
        return ''
    share = (score - low) / (high - low)
    if share < 0:
        return (
            f'{percent(score)} is below what copying the first labels gets '
            f'({percent(low)}).'
        )
    return (
        f'{percent(score)} is {100 * share:.0f} % of the way from copying the first '
        f'labels ({percent(low)}) to the ceiling ({percent(high)}), what the true '
        'labels keep on this feature grid.'
    )


def _number(name: str, value: Any) -> str:
    """A measure in percent; what is no fraction, such as a difference, as it is."""
    if is_unknown(value):
        return '-'
    if name.endswith('difference'):
        return f'{float(value):.3g}'
    return percent(float(value))


def _table(table: tuple[list[str], list[list[str]]]) -> dict[str, Any]:
    columns, rows = table
    return dict(columns=columns, rows=[[_cell(cell) for cell in row] for row in rows])


def _cell(cell: str) -> str:
    """A cell as it stands, or in percent where it is a fraction."""
    try:
        return percent(float(cell)) if '.' in cell else cell
    except ValueError:
        return cell


def _width(value: float) -> float:
    return round(100 * min(max(value, 0.0), 1.0), 2)


def _rounded(value: Any) -> float | None:
    return None if is_unknown(value) else round(float(value), _DIGITS)
