"""TimeT: the four ways to choose the frames of a clip."""

from __future__ import annotations

from densecorr.datasets import TimeTSampler

from .recorded import RecordedDraws
from .replay import Case, replay

INPUTS = ['cases', 'c*_mode', 'c*_size', 'c*_num_frames', 'c*_step', 'c*_draw']


@replay('timet', 'clip_indices', inputs=INPUTS)
def test_clip_indices(case: Case) -> None:
    for i in range(case.cases):
        mode, draw = case[f'c{i}_mode'], case[f'c{i}_draw']
        sampler = TimeTSampler(case[f'c{i}_num_frames'], mode, case[f'c{i}_step'])
        # uniform: one draw of all frames; dense, regular: a start; full: nothing
        draws = RecordedDraws(*([draw] if mode == 'uniform' else draw))
        frames = sampler.draw(draws.generator, case[f'c{i}_size'])
        assert draws.all_used()
        case.exact(f'c{i}_indices', frames)
        case.exact(f'c{i}_draw_range', [n for pair in draws.ranges for n in pair])
