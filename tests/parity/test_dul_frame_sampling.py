"""DUL: frames of a clip, of lists of frames and of lists of folders."""

from __future__ import annotations

import numpy as np

from densecorr.datasets import DULSampler

from .recorded import RecordedDraws, padded
from .replay import Case, replay


@replay(
    'dul',
    'frame_sampling',
    inputs=['seq_len', 'video_len', 'frame_gap', 'start', 'perm', 'folder_start'],
)
def test_frame_sampling(case: Case) -> None:
    frames, max_starts, folder_frames, folder_max_starts = [], [], [], []
    rows = zip(case.seq_len, case.video_len, case.frame_gap, strict=True)
    for i, (total, num_frames, gap) in enumerate(rows):
        draws = RecordedDraws(case.start[i], case.perm[i][:num_frames])
        sampler = DULSampler(num_frames, gap)
        frames.append(sampler.draw(draws.generator, int(total)))
        max_starts.append(draws.ranges[0][1])
        assert draws.ranges[0][0] == 0 and draws.all_used()

        draws = RecordedDraws(case.folder_start[i])
        sampler = DULSampler(num_frames, gap, even=True, permute=False)
        folder_frames.append(sampler.draw(draws.generator, int(total)))
        folder_max_starts.append(draws.ranges[0][1])
        assert draws.ranges[0][0] == 0 and draws.all_used()
    case.exact('frame_ids', padded(frames))
    case.exact('max_start', np.array(max_starts))
    case.exact('folder_frame_ids', padded(folder_frames))
    case.exact('folder_max_start', np.array(folder_max_starts))
