"""CatMAE: three frames at random gaps, backwards in every second clip (ViRe)."""

from __future__ import annotations

import numpy as np

from densecorr.datasets import CatMAESampler
from densecorr.datasets.clip_samplers.catmae import longest_span

from .recorded import RecordedDraws
from .replay import Case, replay


def _row(case: Case, row: dict[str, int]) -> dict[str, int]:
    """A row of the table with our video and frames.

    The official dataset lists each video ``repeated_sampling`` times, one after the
    other, and reverses the odd indices: with an even number of copies those of odd
    visits.
    """
    video = row['dataset_index'] // case.repeated_sampling
    sampler = CatMAESampler(case.intervals.tolist(), bool(row['use_vire']))
    total, values = row['total_frames'], [row[f'draw{i}'] for i in range(3)]
    long = total >= longest_span(case.intervals)
    draws = RecordedDraws(*values) if long else RecordedDraws(values)
    frames = sampler.draw(draws.generator, total, visit=row['dataset_index'])
    assert draws.all_used()
    ranges = [(0, total - longest_span(case.intervals)), *map(tuple, case.intervals)]
    assert draws.ranges == (ranges if long else [])
    ours = dict(zip(('frame1', 'frame2', 'frame3'), frames.tolist(), strict=True))
    return {**row, 'video_index': video, **ours}


@replay(
    'catmae', 'frame_sampling', inputs=['intervals', 'repeated_sampling', 'columns']
)
def test_frame_sampling(case: Case) -> None:
    columns = case.columns.tolist()
    rows = [dict(zip(columns, row, strict=True)) for row in case.table.tolist()]
    ours = [_row(case, row) for row in rows]
    case.exact('table', np.array([[row[name] for name in columns] for row in ours]))
