"""SMTC: candidates of a video, their assignment to objects, the merge of slots."""

from __future__ import annotations

import numpy as np

from densecorr.evaluation.functional.davis import mask_scores
from densecorr.evaluation.functional.discovery import (
    Matched,
    match_per_frame,
    match_per_sequence,
    merge_foreground,
)
from densecorr.evaluation.functional.statistics import series_statistics
from densecorr.ops.slots import candidate_masks, chunks_of, enlarge_areas

from .replay import Case, replay

ATOL = 1e-6


@replay(
    'smtc',
    'discovery_masks',
    inputs=[
        *('num_frames', 'chunk_length', 'similarity', 'instance_mask', 'grid'),
        *('image_size', '*_threshold'),
    ],
)
def test_candidates(case: Case) -> None:
    chunks = chunks_of(case.num_frames, case.chunk_length)
    case.exact('chunk_frames', [frames for frames, _ in chunks])
    similar = case.tensor('similarity') >= case.similarity_threshold
    areas = case.tensor('instance_mask')
    grid, size = (tuple(int(n) for n in case[key]) for key in ('grid', 'image_size'))
    masks = []
    for i, (_, own) in enumerate(chunks):
        for t in range(own):
            kept = areas[i, t][similar[i, t]]  # (n, places)
            found = candidate_masks(kept, grid, size, case.mask_threshold)
            masks.append(found.cpu().numpy())
    case.exact('num_proposals', [len(frame) for frame in masks])
    padded = np.zeros_like(case.masks)
    for t, frame in enumerate(masks):
        padded[: len(frame), t] = frame
    case.exact('masks', padded)


def by_proposal(matched: Matched) -> tuple[np.ndarray, Matched]:
    """Objects and scores with the rows of each frame ordered by proposal."""
    order = matched.proposals.argsort(0)
    parts = [np.take_along_axis(part, order, 0) for part in matched]
    return order, Matched(*parts)


@replay('smtc', 'discovery_match', inputs=['gt', 'void', 'proposals', 'bound_th'])
def test_matching(case: Case) -> None:
    scores = [
        mask_scores(case.proposals[:, t], case.gt[:, t], case.void[t], case.bound_th)
        for t in range(case.gt.shape[1])
    ]
    region, boundary = (np.stack(part, -1) for part in zip(*scores, strict=True))
    case.close('j_all', region, atol=ATOL)
    case.close('f_all', boundary, atol=ATOL)
    for name, match in (('frame', match_per_frame), ('sequence', match_per_sequence)):
        order, rows = by_proposal(match(region, boundary))
        whole = name == 'sequence'
        case.exact(f'per_{name}_proposal', rows.proposals[:, 0] if whole else rows[0])
        case.exact(f'per_{name}_object', order[:, 0] if whole else order)
        for letter, series in (('j', rows.region), ('f', rows.boundary)):
            case.close(f'per_{name}_{letter}', series, atol=ATOL)
            statistics = [series_statistics(row) for row in series]
            case.close(f'per_{name}_{letter}_stats', np.array(statistics), atol=ATOL)
        mean = (rows.region.mean() + rows.boundary.mean()) / 2
        case.close(f'per_{name}_jf_mean', mean, atol=ATOL)


@replay('smtc', 'single_object_merge', inputs=['slot_masks', 'gt', 'threshold'])
def test_merge(case: Case) -> None:
    areas = case.tensor('slot_masks')[:, :, 0]  # (t, s, h, w)
    grid = (areas.shape[2], areas.shape[3])
    maps = enlarge_areas(areas.flatten(2), grid, case.gt.shape).cpu().numpy()
    found = merge_foreground(maps, case.gt)
    case.close('merged', found.merged[:, None], atol=ATOL)
    case.close('mean_mask', found.mean[None], atol=ATOL)
    case.close('iou', found.iou, atol=ATOL)
