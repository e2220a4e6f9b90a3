"""Whole pipelines: equal draws, untouched inputs, patches, packing."""

import copy

import numpy as np
import pytest
import torch

from densecorr.datasets.transforms import color
from densecorr.registry import TRANSFORMS

JITTER = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
STEPS = [
    dict(type='ClipResize', short_side=(36, 44)),
    dict(type='ClipResize', size=(30, 50), resizer='pillow'),
    dict(type='ClipCenterCrop', size=30),
    dict(type='ClipRandomCrop', size=30, per_frame=True),
    dict(type='ClipRandomResizedCrop', size=32),
    dict(type='ClipRandomResizedCrop', size=32, per_frame=True, resizer='pillow'),
    dict(type='ClipRandomFlip', prob=1.0),
    dict(type='ClipColorJitter', **JITTER),
    dict(type='ClipColorJitter', **JITTER, engine='pillow', per_frame=True),
    dict(type='ClipRandomGray', prob=1.0),
    dict(type='ClipGaussianBlur', prob=1.0),
    dict(type='ClipRepeat', times=2),
    dict(type='PatchGrid', patch_size=16, stride=8),
    dict(type='PatchGrid', patch_size=16, stride=8, flip_prob=0.5, jitter=JITTER),
]
NAMES = [f'{step["type"]}{i}' for i, step in enumerate(STEPS)]


def build(kind, **options):
    return TRANSFORMS.build(dict(type=kind, **options))


def sample_of(height=40, width=60, t=3):
    frames = np.random.default_rng(0).integers(0, 256, (t, height, width, 3), np.uint8)
    return dict(
        frames=frames,
        video='v',
        frame_indices=np.arange(t),
        epoch=1,
        index=2,
        seed=3,
        replaced=(),
        rng=np.random.default_rng(7),
    )


@pytest.mark.parametrize('step', STEPS, ids=NAMES)
def test_equal_generators_give_equal_clips_and_inputs_stay(step):
    transform = TRANSFORMS.build(step)
    sample = sample_of()
    before = copy.deepcopy(sample)
    first = np.stack(transform(sample)['frames'])
    assert list(sample) == list(before)
    np.testing.assert_array_equal(sample['frames'], before['frames'])
    again = np.stack(transform(sample_of())['frames'])
    np.testing.assert_array_equal(first, again)
    other = {**sample_of(), 'rng': np.random.default_rng(8)}
    if (
        transform.draw(np.random.default_rng(7), sample)
        and 'Center' not in step['type']
    ):
        drawn = [str(transform.draw(s['rng'], s)) for s in (sample_of(), other)]
        fixed = step.get('size') and step['type'] == 'ClipResize'
        sure = step.get('prob') == 1.0 and step['type'] != 'ClipGaussianBlur'
        assert (drawn[0] != drawn[1]) is not bool(fixed or sure)


@pytest.mark.parametrize('step', STEPS, ids=NAMES)
def test_frames_may_be_a_list_of_views(step):
    transform = TRANSFORMS.build(step)
    wide = np.random.default_rng(0).integers(0, 256, (40, 200, 3), dtype=np.uint8)
    views = [wide[:, i : i + 60] for i in (0, 40, 80)]
    drawn = transform.draw(np.random.default_rng(0), dict(frames=views))
    ours = transform.apply(dict(frames=views), **drawn)['frames']
    theirs = transform.apply(dict(frames=np.stack(views)), **drawn)['frames']
    np.testing.assert_array_equal(np.stack(ours), np.stack(theirs))


def test_a_pipeline_from_frames_to_tensors():
    steps = [
        dict(type='ClipRandomResizedCrop', size=32, per_frame=True),
        dict(type='ClipRandomFlip', prob=1.0),
        dict(type='ClipColorJitter', **JITTER),
        dict(type='PackClip'),
    ]
    sample = sample_of()
    for step in steps:
        sample = TRANSFORMS.build(step)(sample)
    assert set(sample) == {'inputs', 'data_samples'}
    frames = sample['inputs']['frames']
    assert frames.shape == (3, 3, 32, 32)
    assert frames.dtype == torch.uint8


# --- patches -----------------------------------------------------------------------


def test_windows_without_any_draw():
    sample = sample_of(32, 40)
    grid = build('PatchGrid', patch_size=16, stride=8, area=None)
    patches = grid(sample)['frames']
    assert patches.shape == (3, 3 * 4, 16, 16, 3)
    np.testing.assert_array_equal(patches[1, 6], sample['frames'][1, 8:24, 16:32])


def test_flips_and_colours_of_single_patches():
    sample = sample_of(16, 32, t=1)
    grid = build(
        'PatchGrid', patch_size=16, stride=16, area=None, flip_prob=0.5, jitter=JITTER
    )
    drawn = grid.draw(np.random.default_rng(0), sample)
    assert {name: array.shape for name, array in drawn.items()} == dict(
        boxes=(1, 2, 4), flips=(1, 2), orders=(1, 2, 4), factors=(1, 2, 4)
    )
    drawn['flips'] = np.array([[False, True]])
    patches = grid.apply(sample, **drawn)['frames'][0]
    frame = sample['frames'][0]
    for patch, window, order, factors in zip(
        patches,
        (frame[:, :16], frame[:, :15:-1]),
        drawn['orders'][0],
        drawn['factors'][0],
        strict=True,
    ):
        window = np.ascontiguousarray(window)
        expected = color.jitter(window, order, factors, 'pillow')
        np.testing.assert_array_equal(patch, expected)


def test_patches_draw_alone():
    grid = build('PatchGrid', patch_size=16, stride=8)
    boxes = grid.draw(np.random.default_rng(0), sample_of())['boxes']
    assert len(np.unique(boxes.reshape(-1, 4), axis=0)) > boxes[..., 0].size / 2


def test_patch_larger_than_the_frame():
    text = 'a patch of PatchGrid is 64x64 .*larger than the frame of 40x60'
    with pytest.raises(ValueError, match=text):
        build('PatchGrid')(sample_of())


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(patch_size=0), 'patch_size is 0, it must be at least 1'),
        (dict(stride=0), 'stride is 0, it must be at least 1'),
        (dict(area=(0.9, 0.7)), 'area should be'),
        (dict(ratio=(0, 1)), 'ratio should begin above 0'),
        (dict(flip_prob=2), 'flip_prob should be in'),
        (dict(resizer='torch'), "resizer is 'torch', allowed are"),
        (dict(jitter=dict(hue=1)), 'hue of the jitter'),
    ],
)
def test_bad_options_of_patches(options, text):
    with pytest.raises(ValueError, match=text):
        build('PatchGrid', **options)


# --- packing -----------------------------------------------------------------------


def test_pack():
    sample = {**sample_of(), 'offsets': np.array([1.5, 2.0]), 'extra': 'dropped'}
    packed = build('PackClip', keys=['offsets'])(sample)
    frames = packed['inputs']['frames']
    assert frames.is_contiguous()
    expected = torch.from_numpy(sample['frames']).permute(0, 3, 1, 2)
    torch.testing.assert_close(frames, expected)
    assert packed['inputs']['offsets'].tolist() == [1.5, 2.0]
    names = ['video', 'frame_indices', 'epoch', 'index', 'seed', 'replaced']
    assert packed['data_samples'] == {name: sample[name] for name in names}
    frames.zero_()  # memory of its own
    assert sample['frames'].any()


def test_repeated_frames_become_views():
    sample = sample_of(t=2)
    views = build('ClipRepeat', times=3)(sample)
    expected = np.concatenate([sample['frames']] * 3)
    np.testing.assert_array_equal(np.stack(views['frames']), expected)
    assert views['frame_indices'].tolist() == [0, 1, 0, 1, 0, 1]
    crop = build('ClipRandomResizedCrop', size=16, per_frame=True)(views)
    assert len({frame.tobytes() for frame in crop['frames']}) == 6
    with pytest.raises(ValueError, match='times of ClipRepeat is 0; give at least 1'):
        build('ClipRepeat', times=0)


def test_pack_patches():
    grid = build('PatchGrid', patch_size=16, stride=8)(sample_of())
    frames = build('PackClip')(grid)['inputs']['frames']
    expected = torch.from_numpy(grid['frames']).permute(0, 1, 4, 2, 3)
    torch.testing.assert_close(frames, expected)


def test_pack_of_a_missing_key():
    with pytest.raises(KeyError, match=r"PackClip misses \['points'\] in a sample"):
        build('PackClip', keys=['points'])(sample_of())


def test_pack_of_unequal_frames():
    frames = [np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)]
    text = r'shapes \[\(4, 5, 3\), \(5, 4, 3\)\]. Bring them to one size'
    with pytest.raises(ValueError, match=text):
        build('PackClip')(dict(frames=frames))
