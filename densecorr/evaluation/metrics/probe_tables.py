"""Texts and numbers of linear probes, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.metrics.cluster_tables import over_seeds
from densecorr.evaluation.metrics.semantic_seg import SemanticScores, area_scores
from densecorr.utils.tables import format_csv

_DECIMALS = 6
_NAMES = {
    'mIoU': 'miou',
    'mIoU-annotated': 'annotated_miou',
    'mAcc': 'macc',
    'aAcc': 'aacc',
}


def seed_metrics(numbers: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """Means over seeds, and with several seeds their ``<name>-deviation``.

    Args:
        numbers: by name, then by seed.
    """
    found: dict[str, float] = {}
    for name, seeds in numbers.items():
        mean, deviation = over_seeds({seed: [value] for seed, value in seeds.items()})
        found[name] = mean
        if len(seeds) > 1:
            found[f'{name}-deviation'] = deviation
    return found


def probe_metrics(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """``mIoU``, ``mIoU-annotated``, ``mAcc``, ``aAcc`` of the last epoch."""
    scores = {result['seed']: _scores(result) for result in results}
    return seed_metrics(
        {
            name: {seed: getattr(found, field) for seed, found in scores.items()}
            for name, field in _NAMES.items()
        }
    )


def curve_csv(results: Sequence[Mapping[str, Any]]) -> str:
    """Loss and mIoU of every epoch; empty where there is none."""
    rows = [
        [result['seed'], entry['epoch'], *entry['numbers']]
        for result in results
        for entry in result['curve']
    ]
    return format_csv(rows, ['Seed', 'Epoch', 'LR', 'Loss', 'mIoU'], _DECIMALS)


def probe_per_class_csv(
    results: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> str:
    """IoU and accuracy of every class by seed; empty where nothing is annotated."""
    rows = []
    for result in results:
        found = _scores(result)
        for number, pixels in enumerate(result['areas'][3]):
            name = names[number] if number < len(names) else str(number)
            scores = (float(found.iou[number]), float(found.acc[number]))
            rows.append([result['seed'], number, name, int(pixels), *scores])
    columns = ['Seed', 'Class', 'Name', 'Annotated', 'IoU', 'Accuracy']
    return format_csv(rows, columns, _DECIMALS)


def _scores(result: Mapping[str, Any]) -> SemanticScores:
    return area_scores(np.asarray(result['areas']))
