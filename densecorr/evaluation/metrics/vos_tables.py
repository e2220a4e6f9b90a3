"""Tables of video object segmentation, as text of csv files.

The two files of the official package keep its names, columns and three decimals; the
others are ours, with six.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.functional.davis import GLOBAL_NAMES, STATISTICS
from densecorr.evaluation.functional.statistics import series_statistics
from densecorr.utils.tables import format_csv

_OFFICIAL_DECIMALS = 3
_DECIMALS = 6
_MEASURES = ('J', 'F')


def set_name(meta: Mapping[str, Any] | None) -> str:
    """Name of the evaluated set in file names: ``val``, or ``val-8of30``.

    A set that lacks frames or annotations but no sequence is ``val-partial``, one of
    other data in the same layout ``val-other``. Resized labels are named first:
    ``val-480x880``.
    """
    if not meta:
        return 'val'
    split = str(meta.get('split', 'val'))
    if meta.get('resized'):
        split += '-' + 'x'.join(map(str, meta['resized']))
    if meta.get('complete', True):
        return split
    found, expected = meta.get('found'), meta.get('expected_sequences')
    if found is None or expected is None or found == expected:
        return f'{split}-partial'
    if not found:
        return f'{split}-other'
    return f'{split}-{found}of{expected}'


def vos_tables(
    results: Sequence[Mapping[str, Any]],
    summary: Mapping[str, float],
    meta: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """File names and texts.

    Args:
        results: of ``VOSMetric.finish``, in the order of the list of sequences.
        summary: of ``VOSMetric.compute_metrics``.
        meta: ``metainfo`` of the dataset.
    """
    name = set_name(meta)
    return {
        f'global_results-{name}.csv': format_csv(
            [[summary[key] for key in GLOBAL_NAMES]], GLOBAL_NAMES, _OFFICIAL_DECIMALS
        ),
        f'per-sequence_results-{name}.csv': format_csv(
            [
                [f'{result["video"]}_{item["id"]}', _mean(item['J']), _mean(item['F'])]
                for result in results
                for item in result['objects']
            ],
            ['Sequence', 'J-Mean', 'F-Mean'],
            _OFFICIAL_DECIMALS,
        ),
        'per_object.csv': _per_object(results),
        'per_video.csv': per_video(results),
    }


def _per_object(results: Sequence[Mapping[str, Any]]) -> str:
    """One row per object: row number of the official table, true object, statistics."""
    columns = ['Sequence', 'Row', 'Object', 'Proposal']
    columns += [f'{m}-{name}' for m in _MEASURES for name in STATISTICS]
    rows = []
    for result in results:
        for item in result['objects']:
            row = [result['video'], item['id'], item['object'], item['proposal']]
            for measure in _MEASURES:
                row += series_statistics(item[measure])
            rows.append(row)
    return format_csv(rows, columns, _DECIMALS)


def per_video(results: Sequence[Mapping[str, Any]]) -> str:
    """One row per video: means over its objects; empty cells where it has none."""
    rows = []
    for result in results:
        objects = result['objects']
        row = [result['video'], result['num_frames'], len(objects)]
        means = [
            float(np.mean([_mean(item[m]) for item in objects])) if objects else None
            for m in _MEASURES
        ]
        both = None if None in means else float(np.mean([*means]))
        rows.append([*row, both, *means])
    columns = ['Sequence', 'Frames', 'Objects', 'J&F-Mean', 'J-Mean', 'F-Mean']
    return format_csv(rows, columns, _DECIMALS)


def _mean(series: Sequence[float | None]) -> float:
    return series_statistics(known_scores(series)).mean


def known_scores(series: Sequence[float | None]) -> np.ndarray:
    """``(t,)`` scores of a series without the frames that do not count (None)."""
    return np.array([score for score in series if score is not None], np.float64)
