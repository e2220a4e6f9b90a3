"""Replays of davis_metrics: J, F, boundary maps and statistics."""

import numpy as np

from densecorr.evaluation.functional import (
    boundary_accuracy,
    boundary_map,
    boundary_tolerance,
    frame_scores,
    region_similarity,
    series_statistics,
)
from densecorr.evaluation.functional.boundary import dilate_map, disk

from .replay import replay

_ATOL = 1e-9


_PAIR_INPUTS = ['num_groups', '*_gt', '*_pred', '*_bound_th', '*[0-9]_void']


@replay('davis_metrics', 'frame_pairs', inputs=_PAIR_INPUTS)
def test_frame_pairs(case):
    for i in range(case.num_groups):
        pred, target = case[f'g{i}_pred'], case[f'g{i}_gt']
        bound_th = case[f'g{i}_bound_th']
        for name, void in (('', [None] * len(pred)), ('_void', case[f'g{i}_void'])):
            triples = list(zip(pred, target, void, strict=True))
            plain = [
                (region_similarity(p, t, v), boundary_accuracy(p, t, v, bound_th))
                for p, t, v in triples
            ]
            together = [
                np.ravel(frame_scores(p, t, [1], v, bound_th)) for p, t, v in triples
            ]
            for scores in (np.array(plain), np.array(together)):
                case.close(f'g{i}_j{name}', scores[:, 0], atol=_ATOL)
                case.close(f'g{i}_f{name}', scores[:, 1], atol=_ATOL)


@replay('davis_metrics', 'boundary',
        inputs=['masks', 'shapes', 'bound_th', 'radii', 'dilate_radius'])  # fmt: skip
def test_boundary(case):
    edges = np.stack([boundary_map(region) for region in case.masks])
    case.exact('boundary', edges)
    tolerances = [
        [boundary_tolerance(tuple(size), float(th)) for th in case.bound_th]
        for size in case.shapes
    ]
    case.exact('bound_pix', tolerances)
    case.exact('disk_area', [disk(int(radius)).sum() for radius in case.radii])
    case.exact('disk_5', disk(5))
    case.exact(
        'dilated',
        [[dilate_map(e, int(radius)) for e in edges] for radius in case.dilate_radius],
    )


@replay('davis_metrics', 'statistics', inputs=['num', 'v*', 'long'])
def test_statistics(case):
    for i in range(case.num):
        case.close(f'mrd{i}', series_statistics(case[f'v{i}']), atol=_ATOL)
    statistics = series_statistics(case.long)
    case.close('long_intended', statistics, atol=_ATOL)
    # the official borders wrap at 8 bits: mean and recall agree, decay must not
    np.testing.assert_allclose(statistics[:2], case.long_official[:2], atol=_ATOL)
    assert not abs(statistics.decay - case.long_official[2]) <= _ATOL
    case.compared('long_official')
