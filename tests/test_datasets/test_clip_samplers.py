"""Clip samplers: hand-computed clips, properties of many draws, error texts."""

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch

import densecorr.datasets.clip_samplers as samplers
from densecorr.datasets.clip_samplers import (
    CatMAESampler,
    DULSampler,
    FixedRateSampler,
    GapSampler,
    SMTCSampler,
    SpaThenTempSampler,
    TimeTSampler,
    VFSSampler,
)
from densecorr.datasets.clip_samplers.catmae import triplet_frames
from densecorr.datasets.clip_samplers.dul import spread_offsets
from densecorr.datasets.clip_samplers.fixed_rate import (
    resampled_frames,
    resampled_length,
)
from densecorr.datasets.clip_samplers.gap import fitting_gap
from densecorr.datasets.clip_samplers.smtc import center_range, centered_gap
from densecorr.datasets.clip_samplers.vfs import segment_frames
from densecorr.registry import TASK_UTILS

CONFIGS = [
    dict(type='FixedRateSampler', default_fps=24.0),
    dict(type='FixedRateSampler', num_frames=3, rate=30.0, default_fps=12.5),
    dict(type='GapSampler'),
    dict(type='GapSampler', num_frames=2, gap=5),
    dict(type='DULSampler'),
    dict(type='DULSampler', gap=2, permute=False),
    dict(type='DULSampler', even=True, permute=False),
    dict(type='VFSSampler'),
    dict(type='VFSSampler', num_frames=2),
    dict(type='CatMAESampler'),
    dict(type='CatMAESampler', gaps=((1, 2), (3, 5)), reverse=True),
    dict(type='TimeTSampler'),
    dict(type='TimeTSampler', mode='dense'),
    dict(type='TimeTSampler', mode='regular', step=3),
    dict(type='TimeTSampler', mode='full'),
    dict(type='SMTCSampler'),
    dict(type='SMTCSampler', num_frames=3, gap=8),
    dict(type='SMTCSampler', lower_once=True),
    dict(type='SpaThenTempSampler'),
    dict(type='SpaThenTempSampler', gap=5),
]
ASCENDING = ('FixedRate', 'Gap', 'SMTC', 'SpaThenTemp', 'TimeT')


def rng(seed=0):
    return np.random.default_rng(seed)


def name_of(config):
    values = [str(v) for key, v in config.items() if key != 'type']
    return '-'.join([config['type'].removesuffix('Sampler'), *values])


def clips(sampler, total, count=400, fps=None):
    return np.stack([sampler.draw(rng(i), total, fps, visit=i) for i in range(count)])


@pytest.mark.parametrize('config', CONFIGS, ids=name_of)
def test_clips_of_every_length_are_frames_of_the_video(config):
    sampler = TASK_UTILS.build(config)
    least = sampler.min_frames_at()
    assert least >= sampler.min_frames >= 1
    for total in [*range(least, least + 30), 97, 1000]:
        for seed in range(5):
            frames = sampler.draw(rng(seed), total, visit=0)
            assert frames.dtype == np.int64
            assert frames.shape == (sampler.num_frames or total,)
            assert frames.min() >= 0 and frames.max() < total
            if config['type'].startswith(ASCENDING):
                assert (np.diff(frames) >= 0).all()


@pytest.mark.parametrize('config', CONFIGS, ids=name_of)
def test_equal_generators_give_equal_clips(config):
    first, second = TASK_UTILS.build(config), TASK_UTILS.build(config)
    second.draw(rng(9), 300, visit=4)  # a sampler keeps no state
    for seed in range(5):
        frames = first.draw(rng(seed), 300, visit=3)
        np.testing.assert_array_equal(frames, second.draw(rng(seed), 300, visit=3))
    if config.get('mode') != 'full':
        assert len({tuple(clip) for clip in clips(first, 300, 20)}) > 10


@pytest.mark.parametrize('config', CONFIGS, ids=name_of)
def test_short_videos_are_named(config):
    sampler = TASK_UTILS.build(config)
    least, name = sampler.min_frames_at(), config['type']
    text = (
        rf'{name} needs a video of at least {least} frames, this one has {least - 1}\. '
        r'Leave it out, or ask for a shorter clip: .*\.$'
    )
    with pytest.raises(ValueError, match=text):
        sampler.draw(rng(), least - 1, visit=0)


@pytest.mark.parametrize(
    'sampler, total, starts',
    [
        (FixedRateSampler(default_fps=24), 30, [0, 3, 6, 9, 12, 15, 18]),
        (GapSampler(num_frames=4, gap=8), 40, range(9)),
        (DULSampler(permute=False), 50, range(10)),
        (DULSampler(num_frames=4, gap=3, even=True, permute=False), 20, range(9)),
        (TimeTSampler(mode='dense'), 10, range(7)),
        (TimeTSampler(mode='regular', step=2), 12, range(5)),
        (SMTCSampler(), 20, [0, 1, 2, 3]),
        (SpaThenTempSampler(), 6, range(5)),
        (CatMAESampler(((2, 2), (3, 3))), 10, range(5)),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, 'draw') else '',
)
def test_starts_are_uniform(sampler, total, starts):
    found, counts = np.unique(clips(sampler, total, 900)[:, 0], return_counts=True)
    assert found.tolist() == list(starts)
    expected = 900 / len(found)
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 3 * len(found) + 10, counts  # fixed seeds; far in the tail


def torchvision_clips(total, fps, rate, num_frames):
    from torchvision.datasets.video_utils import VideoClips

    pts = torch.arange(total)
    clips, _ = VideoClips.compute_clips_for_video(pts, num_frames, 1, fps, rate)
    return clips.numpy()


@pytest.mark.parametrize('fps', [8, 10, 12.5, 15, 24, 25, 30000 / 1001, 30, 60, 5])
@pytest.mark.parametrize('total', [31, 100, 301])
@pytest.mark.filterwarnings('ignore')
def test_resampling_is_torchvisions(total, fps):
    expected = torchvision_clips(total, float(fps), 8.0, 4)
    length = resampled_length(total, fps, 8.0)
    assert len(expected) == max(0, length - 3)
    for start, pts in enumerate(expected):
        ours = resampled_frames(total, fps, 8.0, start, 4)
        np.testing.assert_array_equal(ours, pts)


@pytest.mark.parametrize('fps', [5, 8, 12.5, 24, 25, 30000 / 1001, 60])
def test_the_shortest_video_of_a_rate(fps):
    sampler = FixedRateSampler(num_frames=6)
    least = sampler.min_frames_at(fps)
    assert resampled_length(least, fps, 8) >= 6
    assert least == 6 or resampled_length(least - 1, fps, 8) < 6
    assert sampler.draw(rng(), least, fps).shape == (6,)
    with pytest.raises(ValueError, match=rf'{least} frames at {fps:g} frames per sec'):
        sampler.draw(rng(), least - 1, fps)


def test_resampling_by_hand():
    assert resampled_frames(40, 20.0, 8.0, 0, 5).tolist() == [0, 2, 5, 7, 10]
    assert resampled_frames(40, 24.0, 8.0, 2, 3).tolist() == [6, 9, 12]
    assert resampled_frames(9, 4.0, 8.0, 1, 4).tolist() == [0, 1, 1, 2]
    assert resampled_length(10, 24.0, 8.0) == 4 and resampled_length(9, 20.0, 8.0) == 3


def test_rates_of_a_sampler_and_of_a_video():
    sampler = FixedRateSampler(num_frames=2, rate=8, default_fps=16)
    assert np.diff(sampler.draw(rng(), 90)) == 2
    assert np.diff(sampler.draw(rng(), 90, fps=32)) == 4


def test_gaps_shrink_in_short_videos():
    assert fitting_gap(32, 4, 8) == (8, 0)
    assert fitting_gap(31, 4, 8) == (7, 3)
    assert fitting_gap(4, 4, 8) == (1, 0)
    assert (np.diff(clips(GapSampler(4, 8), 15)) == 3).all()


def test_dul_windows_by_hand():
    offsets, max_start = spread_offsets(12, 5, 10)
    assert offsets.tolist() == [0, 2, 4, 6, 8] and max_start == 3
    offsets, max_start = spread_offsets(12, 5, 10, even=True)
    assert offsets.tolist() == [0, 2, 4, 7, 9] and max_start == 0
    offsets, max_start = spread_offsets(3, 5, 10, even=True)
    assert offsets.tolist() == [0, 0, 1, 1, 2] and max_start == 0


def test_dul_takes_each_frame_of_the_clip_as_reference():
    drawn = clips(DULSampler(num_frames=5, gap=2), 10)
    places = np.argsort(drawn, axis=1)[:, 0]  # where the earliest frame went
    assert (np.bincount(places, minlength=5) > 50).all()
    assert (np.diff(np.sort(drawn)) == 2).all()


def test_vfs_segments_by_hand():
    draws = np.array([0.0, 0.5, 0.99, 0.25])
    assert segment_frames(40, draws).tolist() == [0, 15, 29, 32]
    assert segment_frames(7, np.full(4, 0.99)).tolist() == [1, 3, 5, 0]  # 7 wraps
    assert segment_frames(2, draws).tolist() == [0, 1, 0, 0]  # 0, .75, 1.5, 2.25


def test_vfs_groups():
    sampler = VFSSampler(num_frames=6, num_clips=3)
    assert (sampler.clip_len, sampler.num_frames) == (2, 6)
    assert (np.diff(clips(sampler, 60)[:, :5]) > 0).all()


def test_catmae_gaps_and_ends():
    drawn = clips(CatMAESampler(((4, 6), (7, 9))), 30)
    gaps = np.diff(drawn)
    assert set(gaps[:, 0]) == {4, 5, 6} and set(gaps[:, 1]) == {7, 8, 9}
    assert set(drawn[:, 0]) == set(range(15))  # total - (6 + 9 + 1)
    short = clips(CatMAESampler(((4, 6), (7, 9))), 15)
    assert (np.diff(short) > 0).all() and set(short[:, 0]) == set(range(13))
    assert triplet_frames(5, 16, np.array([4, 0, 2]), reverse=True).tolist() == [
        4,
        2,
        0,
    ]


def test_catmae_turns_every_second_visit_around():
    forwards, alternating = CatMAESampler(), CatMAESampler(reverse=True)
    for visit in range(6):
        plain = forwards.draw(rng(visit), 200)
        turned = alternating.draw(rng(visit), 200, visit=visit)
        np.testing.assert_array_equal(turned, plain[::-1] if visit % 2 else plain)


def test_timet_modes():
    distinct = clips(TimeTSampler(), 5)
    assert (np.diff(distinct) > 0).all()
    assert len({tuple(c) for c in distinct}) == 5  # 5 over 4
    assert (np.diff(clips(TimeTSampler(), 3)) == 0).any()
    assert (np.diff(clips(TimeTSampler(mode='dense'), 9)) == 1).all()
    assert (np.diff(clips(TimeTSampler(mode='regular', step=5), 15)) == 3).all()
    assert TimeTSampler(mode='full').draw(rng(), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    'total, gap', [(5, 1), (8, 1), (9, 2), (12, 2), (13, 3), (17, 3), (18, 4)]
)
def test_smtc_gaps_of_short_videos(total, gap):
    assert centered_gap(total, 4, 4) == gap
    assert (np.diff(clips(SMTCSampler(), total, 20)) == gap).all()
    low, high = center_range(total, 4, gap)
    assert (low, high) == (2 * gap, total - 2 * gap - 1)


def test_smtc_may_lower_its_gap_once_only():
    assert centered_gap(12, 4, 4, lower_once=True) == 3
    assert SMTCSampler(lower_once=True).min_frames == 13
    assert SMTCSampler().min_frames == 5
    with pytest.raises(ValueError, match=r'at least 13 frames.* or lower_once=False'):
        SMTCSampler(lower_once=True).draw(rng(), 12)


def test_every_sampler_is_registered():
    for name in samplers.__all__:
        if name != 'ClipSampler':
            assert TASK_UTILS.get(name) is getattr(samplers, name)


@pytest.mark.parametrize(
    'sampler, arguments, text',
    [
        (GapSampler, dict(num_frames=0), r'num_frames of GapSampler .*least 1, not 0'),
        (GapSampler, dict(gap=2.5), r'gap of GapSampler should be a whole .* not 2\.5'),
        (GapSampler, dict(gap=True), r'gap of GapSampler .* not True'),
        (DULSampler, dict(gap=-1), r'gap of DULSampler .* not -1'),
        (SMTCSampler, dict(num_frames='4'), r"num_frames of SMTCSampler .* not '4'"),
        (SpaThenTempSampler, dict(gap=0), r'gap of SpaThenTempSampler .* not 0'),
        (TimeTSampler, dict(step=0), r'step of TimeTSampler .* not 0'),
        (TimeTSampler, dict(mode='regluar'), r"mode 'regluar' .* mean 'regular'\?"),
        (VFSSampler, dict(num_frames=7), r'num_frames=7 .* multiple of num_clips=2'),
        (VFSSampler, dict(num_clips=0), r'num_clips of VFSSampler .* not 0'),
        (CatMAESampler, dict(gaps=((4, 48),)), r'two pairs \(lowest, highest\).*4, 48'),
        (CatMAESampler, dict(gaps=((4, 48), (9, 8))), r'highest gap above 9 .* not 8'),
        (CatMAESampler, dict(gaps=((0, 4), (1, 2))), r'the lowest gap of .* not 0'),
        (FixedRateSampler, dict(rate=0), r'rate of FixedRateSampler .* above 0, not 0'),
        (FixedRateSampler, dict(default_fps=-24.0), r'default_fps of .* not -24\.0'),
        (FixedRateSampler, dict(rate='8'), r"rate of FixedRateSampler .* not '8'"),
        (FixedRateSampler, dict(rate=float('nan')), r'rate of .* not nan'),
    ],
)
def test_nonsense_arguments_are_named(sampler, arguments, text):
    with pytest.raises(ValueError, match=text):
        sampler(**arguments)


def test_missing_facts_are_named():
    with pytest.raises(ValueError, match=r'needs a frame rate.* default_fps=.*GapSamp'):
        FixedRateSampler().draw(rng(), 100)
    with pytest.raises(ValueError, match=r'fps of FixedRateSampler .* not 0'):
        FixedRateSampler().draw(rng(), 100, fps=0)
    with pytest.raises(ValueError, match=r'reverse=True .* Pass visit=epoch \*'):
        CatMAESampler(reverse=True).draw(rng(), 100)


PAGE = (Path(__file__).resolve().parents[2] / 'docs/clips.md').read_text('utf-8')


def table_rows(title):
    text = PAGE.partition(title)[2]
    lines = text.partition('|---')[2].partition('\n\n')[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]


def test_the_docs_name_every_sampler_and_option():
    rows = {row[0].strip('`'): row for row in table_rows('# Clips')}
    assert set(rows) == set(samplers.__all__) - {'ClipSampler'}
    for name, (_, _, options, _, _) in rows.items():
        parameters = inspect.signature(getattr(samplers, name)).parameters.values()
        assert options == ' '.join(f'`{p.name}={p.default!r}`' for p in parameters)


def test_the_settings_of_the_docs_build():
    rows = table_rows('## Settings of the papers')
    configs = [row[1].split('`')[1] for row in rows]
    assert len(configs) == 12
    for config in configs:
        clip = TASK_UTILS.build(eval(config)).draw(rng(), 300, fps=25, visit=0)
        assert clip.ndim == 1


def test_the_sampler_of_the_docs_works():
    code = PAGE.rpartition('```python\n')[2].partition('```')[0]
    names = {}
    try:
        exec(code, names)
        sampler = TASK_UTILS.build(dict(type='FirstAndAny'))
    finally:
        TASK_UTILS.module_dict.pop('FirstAndAny', None)
    assert clips(sampler, 5, 50).max(axis=0).tolist() == [0, 4]
    with pytest.raises(ValueError, match='FirstAndAny needs a video of at least 2'):
        sampler.draw(rng(), 1)
