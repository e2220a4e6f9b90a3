import pickle

import numpy as np
import pytest
import torch

from densecorr.datasets.toy import SpriteWorldClips, make_clip
from densecorr.structures import ClipKey
from densecorr.utils.randomness import draw_seed, item_rng

WORLDS = dict(
    preset=['single', 'light'], num_clips=3, size=(32, 48), num_frames=6, seed=40
)
SAMPLER = dict(type='GapSampler', num_frames=3, gap=2)


def build(pipeline=(), **options):
    return SpriteWorldClips(SAMPLER, pipeline, WORLDS, **options)


def test_frames_are_those_of_the_generated_clips():
    clips = build()
    assert len(clips) == 3
    sample = clips[1]
    clip = make_clip('light', 41, (32, 48), 6)
    assert (sample['video'], sample['index'], sample['epoch']) == ('light_41', 1, 0)
    assert sample['frame_indices'].tolist() == [0, 2, 4]
    expected = np.stack([clip.frame(t) for t in (0, 2, 4)])
    assert np.array_equal(sample['frames'], expected)


def test_seed_is_the_first_draw_of_the_item():
    sample = build(seed=7)[ClipKey(2, 1)]
    assert sample['seed'] == draw_seed(item_rng(7, 2, 1))
    assert sample['replaced'] == ()


def test_items_depend_on_their_key_alone():
    pipeline = [
        dict(type='ClipRandomCrop', size=16, per_frame=True),
        dict(type='PackClip'),
    ]
    first, second = (
        build(pipeline, clips_per_video=2),
        build(pipeline, clips_per_video=2),
    )
    assert len(first) == 6
    for item in (5, 0, 3):
        first[item]
    one, other = first[ClipKey(1, 4)], second[ClipKey(1, 4)]
    assert torch.equal(one['inputs']['frames'], other['inputs']['frames'])
    assert one['data_samples']['seed'] == other['data_samples']['seed']
    assert one['inputs']['frames'].shape == (3, 3, 16, 16)
    elsewhere = second[ClipKey(2, 4)]
    assert not torch.equal(one['inputs']['frames'], elsewhere['inputs']['frames'])


def test_goes_to_worker_processes():
    clips = build()
    copy = pickle.loads(pickle.dumps(clips))
    assert np.array_equal(copy[0]['frames'], clips[0]['frames'])


def test_a_sample_may_be_changed():
    clips = build()
    before = clips[0]['frames'].copy()
    clips[0]['frames'][:] = 0
    assert np.array_equal(clips[0]['frames'], before)


def test_bad_arguments():
    with pytest.raises(ValueError, match='clips_per_video of SpriteWorldClips is 0'):
        build(clips_per_video=0)
    with pytest.raises(ValueError, match='have 6 frames, GapSampler needs 7'):
        SpriteWorldClips(dict(SAMPLER, num_frames=7), [], WORLDS)
    with pytest.raises(ValueError, match='num_clips is 0; give at least 1'):
        SpriteWorldClips(SAMPLER, [], dict(WORLDS, num_clips=0))
    with pytest.raises(ValueError, match="preset 'sinlge' of SpriteWorld is unknown"):
        SpriteWorldClips(SAMPLER, [], dict(WORLDS, preset=['sinlge']))
    with pytest.raises(IndexError, match='has no item 3; choose from 0 to 2'):
        build()[3]
