"""SMTC: the gap, the range of the centre, and the frames at its ends.

Replayed with ``lower_once``. The default differs only where the official loader fails.
"""

from __future__ import annotations

import numpy as np

from densecorr.datasets import SMTCSampler
from densecorr.datasets.clip_samplers.smtc import center_range, centered_gap

from .recorded import RecordedDraws
from .replay import Case, replay


def _frames(sampler: SMTCSampler, total: int, center: int) -> np.ndarray:
    if total < sampler.min_frames:
        return np.full(sampler.num_frames, -1)
    return sampler.draw(RecordedDraws(center).generator, total)


@replay('smtc', 'clip_sampling', inputs=['num_frames', 'gap', 'video_length'])
def test_clip_sampling(case: Case) -> None:
    rows = zip(case.video_length, case.num_frames, case.gap, strict=True)
    ranges, possible, at_low, at_high = [], [], [], []
    for total, num_frames, gap in rows:
        official = SMTCSampler(num_frames, gap, lower_once=True)
        used = centered_gap(total, num_frames, gap, lower_once=True)
        low, high = center_range(total, num_frames, used)
        ranges.append((low, high))
        possible.append(total >= official.min_frames)
        at_low.append(_frames(official, total, low))
        at_high.append(_frames(official, total, high))
        if possible[-1]:  # then the default is the same
            ours = SMTCSampler(num_frames, gap)
            np.testing.assert_array_equal(_frames(ours, total, low), at_low[-1])
            np.testing.assert_array_equal(_frames(ours, total, high), at_high[-1])
    case.exact('start_low', [low for low, _ in ranges])
    case.exact('start_high', [high for _, high in ranges])
    case.exact('possible', possible)
    case.exact('frames_at_low', at_low)
    case.exact('frames_at_high', at_high)
