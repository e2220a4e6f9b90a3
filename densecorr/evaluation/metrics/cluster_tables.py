"""Texts and numbers of what clusters scored, over units and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def to_triples(table: Contingency) -> list[list[int]]:
    """``[class, cluster, pixels]`` of every pair that occurs, for JSON and csv."""
    rows, columns = np.nonzero(table.counts)
    columns_of = (table.classes[rows], table.clusters[columns])
    parts = (*columns_of, table.counts[rows, columns])
    return np.stack(parts, axis=1).tolist()


def from_triples(triples: Sequence[Sequence[int]]) -> Contingency:
    """The table that :func:`to_triples` wrote."""
    array = np.asarray(triples, np.int64).reshape(-1, 3)
    classes, rows = np.unique(array[:, 0], return_inverse=True)
    clusters, columns = np.unique(array[:, 1], return_inverse=True)
    counts = np.zeros((len(classes), len(clusters)), np.int64)
    counts[rows, columns] = array[:, 2]
    return Contingency(counts, classes, clusters)


def scores_of(
    results: Sequence[Mapping[str, Any]],
) -> dict[tuple[str, str, str], dict[int, list[float]]]:
    """Mean IoU of every unit by (unit, K, measure), then by seed."""
    scores: dict[tuple[str, str, str], dict[int, list[float]]] = {}
    for result in results:
        for triples in result['tables']:
            for measure, value in _measures(from_triples(triples)).items():
                key = (result['unit'], str(result['num_clusters']), measure)
                seeds = scores.setdefault(key, {})
                seeds.setdefault(result['seed'], []).append(value)
    return scores


def _measures(table: Contingency) -> dict[str, float]:
    """Mean IoU by rule, with and without background; none where nothing counts."""
    if not len(table.classes):
        return {}
    found = {}
    for rule in ('hungarian', 'many_to_one', 'many_to_one_precision'):
        matched = match_clusters(table, rule)
        found[rule] = matched_scores(table, matched).miou
        found[f'{rule}_no_background'] = matched_scores(table, matched, False).miou
    return found


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
