"""Replay of smtc: its semi-supervised score is the one of DAVIS."""

import numpy as np

from densecorr.evaluation.functional import series_statistics
from densecorr.registry import METRICS

from ..test_evaluation.samples import run
from .replay import replay

_ATOL = 1e-6  # the arrays are float32


@replay('smtc', 'semi_supervised_score', inputs=['gt', 'prediction'])
def test_semi_supervised_score(case):
    metric = METRICS.build(dict(type='VOSMetric', task='semi-supervised'))
    objects = run(metric, 'clip', case.prediction, case.gt)['objects']
    for key in 'JF':
        series = np.array([item[key] for item in objects])
        case.close(key.lower(), series, atol=_ATOL)
        statistics = [series_statistics(scores) for scores in series]
        case.close(f'{key.lower()}_stats', statistics, atol=_ATOL)
