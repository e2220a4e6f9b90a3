import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import densecorr  # noqa: F401  (lets torchvision be imported)
from densecorr.datasets.transforms.boxes import (
    center_box,
    central_box,
    random_resized_box,
    short_side_size,
    square_box,
    window_corners,
)
from densecorr.registry import TRANSFORMS

transforms = pytest.importorskip('torchvision.transforms')


def build(kind, **options):
    return TRANSFORMS.build(dict(type=kind, **options))


def sample_of(height=40, width=60, t=3, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (t, height, width, 3), dtype=np.uint8)
    return dict(frames=frames, video='v', rng=np.random.default_rng(seed))


def pillow(frame):
    return Image.fromarray(np.ascontiguousarray(frame))


# --- boxes -------------------------------------------------------------------------


def test_first_box_that_fits():
    areas, aspects = [1.0, 0.5, 0.25], [4.0, 2.0, 1.0]
    # 100x100: 200x50 is too wide; sqrt(10000) = 100 wide, 50 high
    box = random_resized_box((100, 100), areas, aspects, (0.5, 0.0), (0, 0, 1, 1))
    assert box == (25, 0, 50, 100)  # int(0.5 * 51)
    assert random_resized_box((9, 9), [1.0], [4.0], (0, 0), (1, 2, 3, 4)) == (
        1,
        2,
        3,
        4,
    )


def test_fallbacks_and_centres():
    assert central_box((40, 100), (3 / 4, 4 / 3)) == (0, 23, 40, 53)
    assert central_box((100, 40), (3 / 4, 4 / 3)) == (23, 0, 53, 40)
    assert central_box((40, 50), (3 / 4, 4 / 3)) == (0, 0, 40, 50)
    assert square_box((40, 100)) == (0, 30, 40, 40)
    assert center_box((5, 9), (2, 4)) == (2, 2, 2, 4)  # 1.5 and 2.5 go to even
    assert short_side_size((480, 854), 256) == (256, 455)
    assert short_side_size((854, 480), 256) == (455, 256)


def test_windows_in_raster_order():
    corners = window_corners((96, 128), 64, 32)
    assert corners.tolist() == [[0, 0], [0, 32], [0, 64], [32, 0], [32, 32], [32, 64]]


@pytest.mark.parametrize('size', [(40, 60), (60, 40), (30, 200)])
def test_boxes_are_spread_as_torchvision_spreads_them(size):
    """Mean of top, left, height and width over many draws, within 5 standard errors."""
    area, ratio = (0.2, 0.9), (0.7, 1.3)
    crop = build('ClipRandomResizedCrop', size=8, area=area, ratio=ratio)
    sample = dict(frames=np.zeros((1, *size, 3), np.uint8))
    rng = np.random.default_rng(1)
    ours = np.array([crop.draw(rng, sample)['boxes'][0] for _ in range(1500)])
    torch.manual_seed(1)
    image = torch.zeros(3, *size)
    get = transforms.RandomResizedCrop.get_params
    theirs = np.array([get(image, area, ratio) for _ in range(1500)])
    error = np.sqrt((ours.var(0) + theirs.var(0)) / 1500) + 1e-9
    assert (np.abs(ours.mean(0) - theirs.mean(0)) < 5 * error).all()


# --- values ------------------------------------------------------------------------


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic', 'nearest'])
@pytest.mark.parametrize('size', [(20, 31), (77, 90)])
def test_pillow_resize_equals_torchvision(size, interpolation):
    sample = sample_of()
    resize = build(
        'ClipResize', size=size, resizer='pillow', interpolation=interpolation
    )
    mode = transforms.InterpolationMode(interpolation)
    theirs = transforms.Resize(size, mode)(pillow(sample['frames'][1]))
    np.testing.assert_array_equal(resize(sample)['frames'][1], np.asarray(theirs))


def test_short_side_equals_torchvision_and_is_drawn_once():
    sample = sample_of(41, 67)
    resize = build('ClipResize', short_side=19, resizer='pillow')
    theirs = transforms.Resize(19)(pillow(sample['frames'][0]))
    np.testing.assert_array_equal(resize(sample)['frames'][0], np.asarray(theirs))
    resize = build('ClipResize', short_side=(16, 18))
    sides = {resize(sample)['frames'].shape[1] for _ in range(60)}
    assert sides == {16, 17, 18}


def test_opencv_crop_and_resize_by_hand():
    """Doubling a 1x2 box: half-pixel centres give quarters; nothing outside enters."""
    frames = np.zeros((1, 3, 4, 3), np.uint8)
    frames[0, 1] = np.array([255, 0, 100, 255])[:, None]
    crop = build('ClipRandomResizedCrop', size=(1, 4))
    out = crop.apply(dict(frames=frames), boxes=np.array([[1, 1, 1, 2]]))['frames']
    assert out[0, 0, :, 0].tolist() == [0, 25, 75, 100]


def test_pillow_crop_equals_torchvision():
    sample = sample_of()
    crop = build(
        'ClipRandomResizedCrop', size=24, resizer='pillow', interpolation='bicubic'
    )
    drawn = crop.draw(np.random.default_rng(3), sample)
    top, left, height, width = drawn['boxes'][2].tolist()
    mode = transforms.InterpolationMode.BICUBIC
    theirs = transforms.functional.resized_crop(
        pillow(sample['frames'][2]), top, left, height, width, [24, 24], mode
    )
    out = crop.apply(sample, **drawn)['frames'][2]
    np.testing.assert_array_equal(out, np.asarray(theirs))


@pytest.mark.parametrize('size', [(11, 20), (40, 60), (39, 59)])
def test_center_crop_equals_torchvision(size):
    sample = sample_of()
    ours = build('ClipCenterCrop', size=size)(sample)['frames'][0]
    theirs = transforms.CenterCrop(size)(pillow(sample['frames'][0]))
    np.testing.assert_array_equal(ours, np.asarray(theirs))


def test_random_crop_reaches_every_place():
    sample = sample_of(4, 5, t=1)
    sample['frames'][0, ..., 0] = np.arange(20).reshape(4, 5)
    crop = build('ClipRandomCrop', size=(3, 3))
    corners = {int(crop(sample)['frames'][0][0, 0, 0]) for _ in range(200)}
    assert corners == {0, 1, 2, 5, 6, 7}


def test_flip_is_an_involution():
    sample = sample_of()
    flip = build('ClipRandomFlip', prob=1.0)
    once = flip(sample)
    for mirrored, frame in zip(once['frames'], sample['frames'], strict=True):
        np.testing.assert_array_equal(mirrored, frame[:, ::-1])
    np.testing.assert_array_equal(flip(once)['frames'], sample['frames'])
    assert build('ClipRandomFlip', prob=0.0)(sample)['frames'] is sample['frames']


@pytest.mark.parametrize('kind', ['ClipRandomFlip', 'ClipRandomGray'])
def test_share_of_flips_and_of_grey(kind):
    sample = sample_of(2, 2, t=2000)
    drawn = build(kind, prob=0.3, per_frame=True).draw(sample['rng'], sample)
    (applied,) = drawn.values()
    assert abs(applied.mean() - 0.3) < 0.05


def test_per_frame_draws_differ_and_shared_ones_do_not():
    sample = sample_of(t=8)
    for options in (dict(type='ClipRandomResizedCrop'), dict(type='ClipRandomCrop')):
        for per_frame in (False, True):
            crop = build(options['type'], size=10, per_frame=per_frame)
            boxes = crop.draw(np.random.default_rng(0), sample)['boxes']
            assert boxes.shape == (8, 4)
            assert (len(np.unique(boxes, axis=0)) > 1) is per_frame


def test_frames_of_the_wanted_size_are_handed_on():
    sample = sample_of()
    assert build('ClipResize', size=(40, 60))(sample)['frames'] is sample['frames']


@pytest.mark.parametrize(('interpolation', 'levels'), [('bilinear', 1), ('bicubic', 3)])
def test_torch_antialias_is_near_to_pillow(interpolation, levels):
    image = Image.fromarray(sample_of(9, 14)['frames'][0]).resize((140, 90), 3)
    sample = dict(frames=np.asarray(image)[None])
    for size in [(31, 44), (50, 139), (120, 200)]:
        near, exact = (
            build(
                'ClipResize', size=size, resizer=resizer, interpolation=interpolation
            ).apply(sample, size=size)['frames']
            for resizer in ('torch_antialias', 'pillow')
        )
        difference = np.abs(near.astype(int) - exact)
        assert difference.max() <= levels
        assert (difference > 0).mean() < 0.5


# --- bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ('kind', 'options', 'text'),
    [
        ('ClipResize', dict(), 'got size=None and short_side=None: give one'),
        ('ClipResize', dict(size=4, short_side=5), 'give one'),
        ('ClipResize', dict(size=4, resizer='torch'), "resizer is 'torch', allowed"),
        ('ClipResize', dict(size=4, interpolation='area'), "interpolation is 'area'"),
        (
            'ClipResize',
            dict(size=4, resizer='torch_antialias', interpolation='nearest'),
            "interpolation='nearest' smooths nothing",
        ),
        ('ClipResize', dict(size=(4, 0)), r'size of ClipResize should be a side or'),
        ('ClipResize', dict(short_side=(9, 8)), 'not .9, 8.'),
        ('ClipCenterCrop', dict(size=(1, 2, 3)), 'size of ClipCenterCrop should be'),
        ('ClipRandomFlip', dict(prob=1.5), 'prob of ClipRandomFlip should be in .0, 1'),
        ('ClipRandomResizedCrop', dict(size=8, area=(0.9, 0.8)), 'area should be'),
        ('ClipRandomResizedCrop', dict(size=8, area=(0, 0.8)), 'area should begin'),
        ('ClipRandomResizedCrop', dict(size=8, area=(0.5, 1.2)), r'within \[0, 1\]'),
        ('ClipRandomResizedCrop', dict(size=8, ratio=(0, 1)), 'ratio should begin'),
        ('ClipRandomResizedCrop', dict(size=8, ratio=(2, 1)), 'ratio should be'),
        ('ClipRandomResizedCrop', dict(size=8, tries=-1), 'tries is -1'),
        ('ClipRandomResizedCrop', dict(size=8, fallback='x'), "fallback is 'x'"),
        ('ClipRandomResizedCrop', dict(size=8, resizer='x'), "resizer is 'x'"),
    ],
)
def test_bad_options(kind, options, text):
    with pytest.raises(ValueError, match=text):
        build(kind, **options)


@pytest.mark.parametrize('kind', ['ClipCenterCrop', 'ClipRandomCrop'])
def test_crop_larger_than_the_frame(kind):
    text = f'the crop of {kind} is 41x10 .*frame of 40x60.*Put a ClipResize before'
    with pytest.raises(ValueError, match=text):
        build(kind, size=(41, 10))(sample_of())


@pytest.mark.parametrize(
    'frames', [np.zeros((2, 8, 8, 3), np.float32), np.zeros((1, 2, 8, 8, 3), np.uint8)]
)
def test_only_uint8_frames(frames):
    sample = dict(frames=frames, video='clip', rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=r"frame of 'clip' is .*ClipResize takes uint8"):
        build('ClipResize', size=4)(sample)


def test_no_generator():
    with pytest.raises(KeyError, match='ClipRandomFlip draws from sample'):
        build('ClipRandomFlip')(dict(frames=[]))


def test_opencv_is_the_default_of_resizes():
    sample = sample_of(40, 60, t=1)
    ours = build('ClipResize', size=(20, 33))(sample)['frames'][0]
    theirs = cv2.resize(sample['frames'][0], (33, 20))
    np.testing.assert_array_equal(ours, theirs)
