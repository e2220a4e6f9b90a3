"""Numbers of an evaluation as tables, bars and curves for the page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from densecorr.apis.report.results import Results, VideoFiles
from densecorr.utils.tables import format_table

_DIGITS = 6  # of a fraction in the page
_SMALL_IS_GOOD = ('Decay', 'difference')  # ends of names of measures without a bar
_SHOWN = 200  # letters of a value of the fingerprint


def percent(value: float | None) -> str:
    """A fraction as percent with one digit; ``-`` where it is not known."""
    return '-' if _unknown(value) else f'{100 * float(value or 0):.1f}'


def notes_of(content: Mapping[str, Any]) -> list[str]:
    """What a reader of the numbers must know: a part of a split, another stride."""
    places = (content.get('dataset') or {}, content.get('protocol') or {})
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
        if not _unknown(value):
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


def main_measure(metrics: Mapping[str, Any]) -> str | None:
    """The first measure that is a fraction of which more is better."""
    for name, value in metrics.items():
        good = not name.endswith(_SMALL_IS_GOOD)
        if good and not _unknown(value) and 0 <= float(value) <= 1:
            return name
    return None


def video_table(results: Results) -> dict[str, Any]:
    """``per_video.csv`` with fractions in percent."""
    columns, rows = results.table
    return dict(columns=columns, rows=[[_cell(cell) for cell in row] for row in rows])


def curves(video: VideoFiles) -> dict[str, Any]:
    """J and F of every object over time.

    Returns:
        ``x``, frame numbers, ``names`` of these frames, ``last``, the number of the
        last frame of the video, and ``objects`` with ``label``, ``J`` and ``F``; empty
        without a record.
    """
    names = [str(name) for name in video.scores.get('frames', ())]
    objects = [
        item
        for item in video.objects
        if len(item.get('J', ())) == len(item.get('F', ())) == len(names) > 0
    ]
    if not objects:
        return {}
    numbers = {name: index for index, name in enumerate(video.frame_names)}
    places = [numbers.get(name, place) for place, name in enumerate(names)]
    return dict(
        x=places,
        names=names,
        last=max(len(video.frame_names) - 1, *places, 1),
        objects=[
            dict(
                label=item.get('object', place + 1),
                J=[_rounded(value) for value in item['J']],
                F=[_rounded(value) for value in item['F']],
            )
            for place, item in enumerate(objects)
        ],
    )


def frame_means(video: VideoFiles) -> dict[int, float]:
    """Mean of J and F over the objects, by frame number."""
    found = curves(video)
    if not found:
        return {}
    means = {}
    for place, index in enumerate(found['x']):
        values = [o[m][place] for o in found['objects'] for m in ('J', 'F')]
        known = [value for value in values if value is not None]
        if known:
            means[index] = sum(known) / len(known)
    return means


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
    if any(_unknown(value) for value in ends):
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
    if _unknown(value):
        return '-'
    if name.endswith('difference'):
        return f'{float(value):.3g}'
    return percent(float(value))


def _cell(cell: str) -> str:
    """A cell as it stands, or in percent where it is a fraction."""
    try:
        return percent(float(cell)) if '.' in cell else cell
    except ValueError:
        return cell


def _width(value: float) -> float:
    return round(100 * min(max(value, 0.0), 1.0), 2)


def _rounded(value: Any) -> float | None:
    return None if _unknown(value) else round(float(value), _DIGITS)


def _unknown(value: Any) -> bool:
    """None, NaN, infinite, or no number at all."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return True
    return not math.isfinite(value)


def missing_parts(results: Results, videos: Sequence[VideoFiles]) -> list[str]:
    """Sentences about what the page lacks, and how to get it."""
    again = 'Run the evaluation again with the same --out: finished videos are kept.'
    found = list(results.problems)
    if not results.content:
        found.append(
            'There is no metrics.json: the run was not finished, so there is no score. '
            f'{again}'
        )
    if not results.yardsticks:
        found.append(
            'No yardsticks: the score has nothing to be compared with. Run the '
            'evaluation again with the same --out and --yardsticks all.'
        )
    lacking = [v.name for v in videos if v.name not in results.records]
    if lacking:
        found.append(
            f'{_count(lacking)} no record, so no curves and no worst frames: '
            f'{_names(lacking)}. {again}'
        )
    gone = [v.name for v in videos if v.sample is None]
    if gone:
        found.append(
            f'{_count(gone)} no images: the dataset was not found when this page was '
            'made. Make it again with: python tools/report.py RESULTS --data ROOT'
        )
    return found


def _count(names: Sequence[str]) -> str:
    return '1 video has' if len(names) == 1 else f'{len(names)} videos have'


def _names(names: Sequence[str], shown: int = 5) -> str:
    more = f' and {len(names) - shown} more' if len(names) > shown else ''
    return ', '.join(names[:shown]) + more
