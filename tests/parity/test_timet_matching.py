"""TimeT: clusters matched with classes, and the video protocols on top."""

from __future__ import annotations

import numpy as np

from densecorr.evaluation.functional.cluster_matching import (
    contingency,
    fixed_contingency,
    match_clusters,
    matched_scores,
    relabel,
    unit_scores,
)

from .replay import Case, replay

UNITS = dict(frame_wise='frame', sample_wise='clip', dataset_wise='dataset')
MATCHED = ('hungarian', 'many_to_one', 'many_to_one_precision')


def _replay_set(case: Case, name: str, rule: str) -> None:
    pred, target = case[f'{name}_pred'], case[f'{name}_gt']
    table = contingency(pred, target)
    matched = match_clusters(table, rule)
    scores = matched_scores(table, matched)
    stem = f'{name}_{rule}'
    for part in ('classes', 'tp', 'fp', 'fn'):
        case.exact(f'{stem}_{part}', getattr(scores, part))
    case.close(f'{stem}_miou_with_bg', scores.miou, atol=1e-9)
    foreground = matched_scores(table, matched, background=False)
    case.close(f'{stem}_miou_without_bg', foreground.miou, atol=1e-9)
    case.exact(f'{stem}_reordered', relabel(pred, table, matched))


def _replay_fixed(case: Case) -> None:
    sizes = case.fixed_num_gt, case.fixed_num_pred
    table = fixed_contingency(case.fixed_pred, case.fixed_gt, *sizes)
    for rule in MATCHED:
        matched = match_clusters(table, rule)
        scores = matched_scores(table, matched)
        case.close(f'fixed_{rule}_miou', scores.miou, atol=1e-9)
        background = float(np.mean(matched == 0))
        if rule == 'hungarian':  # recorded as one of the classes, whatever is matched
            background = 1 / case.fixed_num_gt
        case.close(f'fixed_{rule}_bg_fraction', background, atol=1e-9)


@replay('timet', 'matching_miou', inputs=['*_gt', '*_pred', 'fixed_num_*'])
def test_matching(case: Case) -> None:
    names = [
        name.removesuffix('_gt')
        for name in case.arrays
        if name.endswith('_gt') and f'{name.removesuffix("_gt")}_pred' in case
    ]
    for name in names:
        rules = [
            rule
            for rule in (*MATCHED, 'linear_probe')
            if f'{name}_{rule}_classes' in case
        ]
        assert rules or name in ('fixed', 'fixed_num')
        for rule in rules:
            _replay_set(case, name, rule)
    _replay_fixed(case)


@replay('timet', 'video_protocols', inputs=['gt', 'gt_void', 'pred'])
def test_video_protocols(case: Case) -> None:
    for official, unit in UNITS.items():
        whole = unit == 'dataset'
        labels, void = (case.gt_void, 255) if whole else (case.gt, None)
        tables = [
            [contingency(p, t, void) for p, t in zip(*clip, strict=True)]
            for clip in zip(case.pred, labels, strict=True)
        ]
        for rule in MATCHED:
            for suffix, background in (('with_bg', True), ('without_bg', False)):
                scores = unit_scores(tables, unit, rule, background)
                name = f'{official}_{rule}_{suffix}'
                case.close(name, scores.mean(), atol=1e-9)
