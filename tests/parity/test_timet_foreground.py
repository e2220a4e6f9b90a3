"""TimeT: attention masks and the foreground made of clusters."""

from __future__ import annotations

import numpy as np
import torch

from densecorr.evaluation.functional.foreground import (
    cluster_precision,
    clusters_above,
    contour_f,
    jaccard,
    search_cut,
)
from densecorr.ops.attention_mask import attention_mask
from densecorr.ops.points import enlarge

from .replay import Case, replay


def _enlarged(attention: np.ndarray, size: int) -> np.ndarray:
    maps = torch.from_numpy(attention)[..., None].float()
    return enlarge(maps, (size, size), 'nearest')[..., 0].numpy()


@replay(
    'timet',
    'foreground',
    inputs=[
        *('num_clusters', 'eval_resolution', 'grid', '*_clusters', '*_attention'),
        *('*_gt', 'bf_distance'),
    ],
)
def test_foreground(case: Case) -> None:
    attended = {
        part: _enlarged(case[f'{part}_attention'], case.eval_resolution)
        for part in ('train', 'val')
    }
    number = case.num_clusters
    precisions = cluster_precision(case.train_clusters, attended['train'], number)
    case.close('train_precisions', precisions, atol=1e-6)
    found = search_cut(case.train_clusters, case.train_gt, precisions)
    case.exact('candidate_start', found.starts)
    case.close('candidate_precision', found.precisions, atol=1e-6)
    case.close('candidate_jaccard', found.jaccards, atol=1e-6)
    case.close('threshold', found.threshold, atol=1e-12)
    precisions = cluster_precision(case.val_clusters, attended['val'], number)
    case.close('val_precisions', precisions, atol=1e-6)
    pred = clusters_above(case.val_clusters, precisions, found.threshold)
    case.exact('val_mask', pred)
    with_void = jaccard(pred, case.val_gt).mean()
    case.close('jaccard_with_boundary', with_void, atol=1e-6)
    without = jaccard(pred, case.val_gt, void_is_foreground=False).mean()
    case.close('jaccard_without_boundary', without, atol=1e-6)
    scores = [
        contour_f(one, labels, case.bf_distance, contour='background')
        for one, labels in zip(pred, case.val_gt, strict=True)
    ]
    case.close('bf_scores', scores, atol=1e-6)


@replay(
    'timet',
    'attention_mask',
    inputs=[
        'cls_attention',
        'threshold',
        'blur_*',
        'min_component',
        'grid',
        'features',
    ],
)
def test_attention_mask(case: Case) -> None:
    attention, grid = case.tensor('cls_attention'), (case.grid, case.grid)
    raw, mask = (
        attention_mask(
            attention,
            grid,
            mass=case.threshold,
            sigma=case.blur_sigma,
            kernel=case.blur_kernel,
            min_cells=cells,
        )
        for cells in (1, case.min_component)
    )
    case.exact('mask_before_cleanup', raw[:, None])
    case.exact('mask', mask[:, None])
    masked = case.tensor('features') * mask.flatten(1)[None, ..., None]
    case.close('masked_features', masked, atol=1e-6)
