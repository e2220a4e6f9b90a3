"""IoU over parts: the evaluations of CRW and of Spa-then-Temp."""

from __future__ import annotations

import numpy as np

from densecorr.evaluation.functional.confusion import (
    class_areas,
    confusion_histogram,
    confusion_scores,
    histogram_areas,
    nearest_to_size,
    percent_summary,
)

from .replay import Case, replay


@replay('crw', 'vip_miou', inputs=['n_frames', 'n_classes', 'f*_gt', 'f*_pred'])
def test_crw_vip_miou(case: Case) -> None:
    histogram = np.zeros((case.n_classes, case.n_classes), np.int64)
    for i in range(case.n_frames):
        target = case[f'f{i}_gt']
        pred = nearest_to_size(case[f'f{i}_pred'], target.shape)
        histogram += confusion_histogram(pred, target, case.n_classes, above='ignore')
    case.exact('histogram', histogram)
    scores = confusion_scores(histogram_areas(histogram))
    case.close('class_iou', scores.iou, atol=1e-6)
    case.close('class_accuracy', scores.accuracy, atol=1e-6)
    case.close('mean_iou', scores.mean_iou, atol=1e-6)
    case.close('mean_accuracy', scores.mean_accuracy, atol=1e-6)
    case.close('overall_accuracy', scores.overall_accuracy, atol=1e-6)
    weighted = scores.frequency_weighted_iou
    case.close('frequency_weighted_iou', weighted, atol=1e-6)


@replay(
    'spa_then_temp',
    'vip_miou',
    inputs=['pred', 'gt', 'pred_20', 'gt_20', 'num_classes', 'ignore_index'],
)
def test_spa_then_temp_vip_miou(case: Case) -> None:
    for suffix in ('', '_20'):
        areas = class_areas(
            case[f'pred{suffix}'],
            case[f'gt{suffix}'],
            case.num_classes,
            case.ignore_index,
            closed_last=bool(suffix),
        )
        scores = confusion_scores(areas)
        case.close(f'aacc{suffix}', scores.overall_accuracy, atol=1e-6)
        case.close(f'acc{suffix}', scores.accuracy, atol=1e-6)
        case.close(f'iou{suffix}', scores.iou, atol=1e-6)
        case.close(f'summary{suffix}', percent_summary(scores), atol=1e-4)
