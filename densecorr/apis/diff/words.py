"""A comparison as text for the screen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from densecorr.apis.diff.compare import Diff, Difference
from densecorr.apis.diff.factors import Result
from densecorr.apis.diff.replay import Replay
from densecorr.apis.object_scores import paired_test, read_object_scores
from densecorr.utils.tables import format_table

_SHOWN = 60  # letters of a value
_VIDEOS = 6  # named in a line
_SAME = 1e-6  # scores of equal runs, as their files round them
_COLUMNS = ('factor', 'forward', 'reverse', 'mean', 'note')
_HASH = re.compile(r'[0-9a-f]{64}')
_HASH_START = 12  # digits of a hash that are shown
_OF_VIDEO = re.compile(r'(frames|labels|inputs) of (.+)')
_UNKNOWN = (
    'Results of tools/score.py have no weights, features or protocol: other programs '
    'may have made the predictions.'
)


def format_diff(diff: Diff) -> str:
    """Numbers, noise, every factor that differs, and what is equal."""
    parts = [
        f'A  {name_of(diff.first)}\nB  {name_of(diff.second)}',
        _numbers(diff),
        *_noise(diff),
        _factors(diff),
    ]
    if diff.equal:
        parts.append(f'equal: {", ".join(diff.equal)}')
    if diff.unknown:
        line = f'not recorded in both: {", ".join(diff.unknown)}'
        scored = any('fingerprint' not in r.content for r in (diff.first, diff.second))
        parts.append(f'{line}\n{_UNKNOWN}' if scored else line)
    return '\n\n'.join(parts)


def name_of(result: Result) -> str:
    """Folder of a result, with its config, protocol and checkpoint as far as known."""
    content, facts = result.content, [str(result.folder)]
    if content.get('config'):
        facts.append(f'config {content["config"]}')
    if (content.get('protocol') or {}).get('name'):
        facts.append(f'protocol {content["protocol"]["name"]}')
    if result.run.get('checkpoint'):
        facts.append(f'weights {result.run["checkpoint"]}')
    return ', '.join(facts)


def _numbers(diff: Diff) -> str:
    """Measures of both and their difference, in percent."""
    rows = []
    for name, ours in diff.first.metrics.items():
        theirs = diff.second.metrics.get(name)
        if name not in diff.second.metrics or name.endswith('difference'):
            continue  # of another program: no measure
        row: dict[str, Any] = dict(measure=name, A=ours, B=theirs)
        if ours is not None and theirs is not None:
            row['B - A'] = float(theirs) - float(ours)
        rows.append(row)
    return format_table(rows, ['measure', 'A', 'B', 'B - A'])


def _noise(diff: Diff) -> list[str]:
    """The paired test, where both have scores of the same objects."""
    try:
        ours, theirs = (read_object_scores(r.folder) for r in (diff.first, diff.second))
        found = paired_test(theirs, ours)
    except FileNotFoundError:
        return []
    except ValueError as error:
        return [f'no paired test: {error}']
    low, high = 100 * found.low, 100 * found.high
    return [
        f'J&F-Mean, B - A: {100 * found.difference:+.1f}, 95 % interval {low:+.1f} to '
        f'{high:+.1f}, p = {found.p_value:.2g} ({found.num_objects} objects of '
        f'{found.num_videos} videos)'
    ]


def _factors(diff: Diff) -> str:
    if not diff.differences:
        if diff.first.metrics == diff.second.metrics:
            return 'no factor differs'
        return (
            'no recorded factor differs; what is left is the rounding of another '
            'machine, device or number of threads (run.json)'
        )
    lines = ['factors that differ, A -> B:']
    for kind in dict.fromkeys(d.kind for d in diff.differences):
        found = [d for d in diff.differences if d.kind == kind]
        lines += [f'  {line}' for line in _lines(kind, found)]
    return '\n'.join(lines)


def _lines(kind: str, found: Sequence[Difference]) -> list[str]:
    """What differs within one kind; many videos share a line."""
    by_video = [d for d in found if kind == 'frames' and _OF_VIDEO.fullmatch(d.field)]
    lines = [
        f'{kind:<17} {d.field}: {value_text(d.first)} -> {value_text(d.second)}'
        for d in found
        if d not in by_video
    ]
    for what in ('frames', 'labels', 'inputs'):
        of_what = [d for d in by_video if d.field.startswith(f'{what} of ')]
        names = [d.field.removeprefix(f'{what} of ') for d in of_what]
        if what == 'inputs' and names:
            title = 'other bytes of frames or first labels'
            lines.append(f'{kind:<17} {title}: {_few(names)}')
        elif names:
            pairs = zip(names, of_what, strict=True)
            counts = [f'{name} {d.first} -> {d.second}' for name, d in pairs]
            title = 'number of frames' if what == 'frames' else 'labelled frames'
            lines.append(f'{kind:<17} {title}: {_few(counts)}')
    return lines


def value_text(value: Any) -> str:
    """A value of a field, shortened."""
    if isinstance(value, str):
        return value[:_HASH_START] if _HASH.fullmatch(value) else value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}...'


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _VIDEOS
    text = ', '.join(listed[:_VIDEOS])
    return f'{text} and {more} more' if more > 0 else text


def format_replay(found: Replay, tolerance: float) -> str:
    """The shares as a table for the screen, in percent points.

    Args:
        found: what :func:`replay` returned.
        tolerance: shares that differ by more between the orders interact; a fraction.
    """
    rows = []
    for share in found.shares:
        mean = (share.forward + share.reverse) / 2
        cells = [_points(v) for v in (share.forward, share.reverse, mean)]
        note = 'interacts' if share.interacts(tolerance) else ''
        rows.append(dict(zip(_COLUMNS, [share.factor, *cells, note], strict=True)))
    first, second = found.replayed
    total = _points(second - first)
    rows.append(dict(zip(_COLUMNS, ['B - A', total, total, total, ''], strict=True)))
    lines = [
        f'{found.measure} of A {100 * first:.1f}, of B {100 * second:.1f}; what each '
        'factor adds on the way from A to B, in percent points:',
        format_table(rows, _COLUMNS),
    ]
    for name, recorded, here in zip('AB', found.recorded, found.replayed, strict=True):
        if abs(recorded - here) > _SAME:
            lines.append(
                f'{name} was recorded with {100 * recorded:.2f} and has '
                f'{100 * here:.2f} here: versions or machine differ'
            )
    if found.not_replayed:
        lines.append(f'not replayed: {", ".join(found.not_replayed)}')
    return '\n'.join([*lines, f'results: {found.path}'])


def _points(value: float) -> str:
    """A difference of fractions in percent points."""
    return f'{round(100 * value, 2) + 0.0:+.2f}'
