"""VFS: one frame of each segment, and the groups of segments."""

from __future__ import annotations

from densecorr.datasets import VFSSampler

from .recorded import RecordedDraws
from .replay import Case, replay


@replay(
    'vfs', 'sample_frames', inputs=['count', 'total_*', 'num_clips_[0-9]*', 'draw_*']
)
def test_sample_frames(case: Case) -> None:
    for i in range(case.count):
        sampler = VFSSampler(num_frames=case[f'num_clips_{i}'])
        draws = RecordedDraws(case[f'draw_{i}'])
        frames = sampler.draw(draws.generator, case[f'total_{i}'])
        case.exact(f'frame_inds_{i}', frames)
        if f'clip_len_after_{i}' in case:
            case.exact(f'clip_len_after_{i}', sampler.clip_len)
            case.exact(f'num_clips_after_{i}', sampler.num_clips)
