"""Replays of davis_metrics: whole summaries, through the metric that configs use."""

import os
from pathlib import Path

import numpy as np
import pytest

from densecorr.datasets import DAVISDataset
from densecorr.evaluation.functional import match_objects, pair_scores
from densecorr.evaluation.functional.davis import GLOBAL_NAMES
from densecorr.registry import METRICS

from ..test_evaluation.samples import run
from .replay import replay

_ATOL = 1e-9
_INPUTS = ['sequences', 'gt_*', 'pred_*']
_MAX_PROPOSALS, _VOID = 20, 255


def evaluate(case, task):
    metric = METRICS.build(dict(type='VOSMetric', task=task))
    names = [str(name) for name in case.sequences]
    results = [run(metric, n, case[f'pred_{n}'], case[f'gt_{n}']) for n in names]
    return metric, results


def compare(case, metric, results):
    """Series, statistics, global numbers, names and the text of both csv files."""
    for result in results:
        for key in 'JF':
            series = np.array([item[key] for item in result['objects']])
            case.close(f'{key.lower()}_{result["video"]}', series, atol=_ATOL)
    objects = [item for result in results for item in result['objects']]
    rows = [metric.compute_metrics([dict(objects=[item])]) for item in objects]
    for key in 'JF':
        for statistic in ('Mean', 'Recall', 'Decay'):
            values = [row[f'{key}-{statistic}'] for row in rows]
            case.close(f'{key}_{statistic[0]}', values, atol=_ATOL)
    summary = metric.compute_metrics(results)
    case.exact('global_names', list(summary))
    case.close('global', list(summary.values()), atol=_ATOL)
    tables = metric.tables(results)
    case.exact('csv_global', tables['global_results-val.csv'])
    table = tables['per-sequence_results-val.csv']
    case.exact('csv_per_sequence', table)
    names = [line.split(',')[0] for line in table.split('\n')[1:-1]]
    case.exact('object_names', names)


@replay('davis_metrics', 'semi_supervised', inputs=_INPUTS)
def test_semi_supervised(case):
    compare(case, *evaluate(case, 'semi-supervised'))


@replay('davis_metrics', 'unsupervised', inputs=_INPUTS)
def test_unsupervised(case):
    metric, results = evaluate(case, 'unsupervised')
    compare(case, metric, results)
    region_only = []
    for result in results:
        name, objects = result['video'], result['objects']
        for key in ('proposal', 'object'):
            case.exact(f'match_{key}_{name}', [item[key] - 1 for item in objects])
        region_only += region_means(case[f'pred_{name}'], case[f'gt_{name}'])
    case.close('J_M_metric_J_only', region_only, atol=_ATOL)


def region_means(preds, targets):
    """Mean J of the objects of a clip when J alone decides the matching."""
    void = targets == _VOID
    labels = np.where(void, 0, targets)
    objects = range(1, int(labels[0].max()) + 1)
    proposals = range(1, max(int(preds.max()), len(objects)) + 1)
    series = np.stack(
        [
            pair_scores(p, t, proposals, objects, v)[0]
            for p, t, v in zip(preds, labels, void, strict=True)
        ],
        axis=-1,
    )
    return series[match_objects(series)].mean(axis=1).tolist()


def pack_root():
    folder = os.environ.get('DENSECORR_DATA')
    checkout = Path(__file__).resolve().parents[2]
    return (Path(folder) if folder else checkout / 'data') / 'davis'


@replay('davis_metrics', 'pack_baselines', inputs=['sequences'])
def test_pack_baselines(case):
    root = pack_root()
    if not (root / 'Annotations').is_dir():
        pytest.skip(f'no DAVIS sequences at {root}: set DENSECORR_DATA')
    names = [str(name) for name in case.sequences]
    dataset = DAVISDataset(root=root, sequences=names)
    videos = {video.name: video for video in dataset}
    for baseline, source in (
        ('static', lambda t: 0),
        ('lag5', lambda t: max(t - 5, 0)),
    ):
        metric = METRICS.build(dict(type='VOSMetric'))
        results = []
        for name in names:
            video = videos[name]
            maps = [video.read_labels(t).indices for t in range(video.num_frames)]
            metric.start(video)
            for t, target in enumerate(maps):
                metric.update(t, maps[source(t)], target)
            results.append(metric.finish())
        rows = [metric.compute_metrics([result]) for result in results]
        for key in 'JF':
            for statistic in ('Mean', 'Recall', 'Decay'):
                values = [row[f'{key}-{statistic}'] for row in rows]
                case.close(f'{baseline}_{key}_{statistic[0]}', values, atol=_ATOL)
        summary = metric.compute_metrics(results)
        assert tuple(summary) == GLOBAL_NAMES
        case.close(f'{baseline}_global', list(summary.values()), atol=_ATOL)
