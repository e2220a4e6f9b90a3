"""Texts and numbers of what clusters scored, over units and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from densecorr.evaluation.functional.cluster_matching import (
    Contingency,
    match_clusters,
    matched_scores,
)
from densecorr.utils.tables import format_csv

Scores = Mapping[tuple[str, str, str], Mapping[int, Sequence[float]]]
_DECIMALS = 6
_SHORT = dict(hungarian='', many_to_one='-many', many_to_one_precision='-precision')


def over_seeds(seeds: Mapping[int, Sequence[float]]) -> tuple[float, float]:
    """Mean and (population) deviation over seeds of the mean over units."""
    means = np.array([np.mean(values) for values in seeds.values()])
    return float(means.mean()), float(means.std())


def summary_metrics(scores: Scores) -> dict[str, float]:
    """``<unit>-<k>``, ``-many`` and ``-precision``; background counts in all of them.

    With several seeds, ``<name>-deviation`` too.
    """
    numbers: dict[str, float] = {}
    for (unit, k, measure), seeds in scores.items():
        if measure not in _SHORT:
            continue
        name = f'{unit}-{k}{_SHORT[measure]}'
        numbers[name], deviation = over_seeds(seeds)
        if len(seeds) > 1:
            numbers[f'{name}-deviation'] = deviation
    return numbers


def summary_csv(scores: Scores) -> str:
    """A row for every unit, number of clusters and rule."""
    rows = []
    for (unit, k, measure), seeds in scores.items():
        rule = measure.removesuffix('_no_background')
        number = len(next(iter(seeds.values())))
        mean, deviation = over_seeds(seeds)
        row = [unit, k, rule, str(rule == measure), mean, deviation]
        rows.append([*row, len(seeds), number])
    columns = ['Unit', 'K', 'Rule', 'Background', 'mIoU', 'Deviation']
    return format_csv(rows, [*columns, 'Seeds', 'Units'], _DECIMALS)


def per_class_csv(
    tables: Sequence[tuple[int | str, int, Contingency]], names: Sequence[str]
) -> str:
    """IoU of every class by number of clusters and seed, Hungarian and many-to-one.

    Args:
        tables: number of clusters, seed and counts of every clustering of the set.
        names: of the classes, by number; others are named by their number.
    """
    rows = []
    for k, seed, table in tables:
        scores = [
            matched_scores(table, match_clusters(table, rule))
            for rule in ('hungarian', 'many_to_one', 'many_to_one_precision')
        ]
        for place, number in enumerate(table.classes.tolist()):
            name = names[number] if number < len(names) else str(number)
            pixels = int(table.counts[place].sum())
            iou = [float(one.iou[place]) for one in scores]
            rows.append([str(k), seed, number, name, pixels, *iou])
    columns = ['K', 'Seed', 'Class', 'Name', 'Annotated', 'IoU hungarian']
    columns += ['IoU many_to_one', 'IoU many_to_one_precision']
    return format_csv(rows, columns, _DECIMALS)
