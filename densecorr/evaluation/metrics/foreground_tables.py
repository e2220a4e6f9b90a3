"""Texts and numbers of extracted foreground, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.metrics.probe_tables import seed_metrics
from densecorr.utils.tables import format_csv

_DECIMALS = 6
_JACCARD, _BOUNDARY = 2, 3  # columns of ``images``


def foreground_metrics(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """``jaccard`` and ``boundary-f``, means over the images that have one."""
    columns = {'jaccard': _JACCARD, 'boundary-f': _BOUNDARY}
    return seed_metrics(
        {
            name: {result['seed']: _mean(result, column) for result in results}
            for name, column in columns.items()
        }
    )


def foreground_csv(results: Sequence[Mapping[str, Any]]) -> str:
    """A row for every seed."""
    rows = [
        [
            result['seed'],
            float(result['threshold']),
            _mean(result, _JACCARD),
            _mean(result, _BOUNDARY),
            len(result['images']),
        ]
        for result in results
    ]
    columns = ['Seed', 'Threshold', 'Jaccard', 'Boundary F', 'Images']
    return format_csv(rows, columns, _DECIMALS)


def cuts_csv(results: Sequence[Mapping[str, Any]]) -> str:
    """Every cut that was tried on the train part; none where a threshold was given."""
    rows = [[result['seed'], *cut] for result in results for cut in result['cuts']]
    return format_csv(rows, ['Seed', 'Rank', 'Precision', 'Jaccard'], _DECIMALS)


def _mean(result: Mapping[str, Any], column: int) -> float:
    values = [row[column] for row in result['images'] if row[column] is not None]
    return float(np.mean(values)) if values else float('nan')
