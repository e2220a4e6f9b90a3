import colorsys

import numpy as np
import pytest
from PIL import Image, ImageFilter

import densecorr  # noqa: F401  (lets torchvision be imported)
from densecorr.datasets.transforms import color
from densecorr.registry import TRANSFORMS

functional = pytest.importorskip('torchvision.transforms.functional')

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
ADJUST = [
    functional.adjust_brightness,
    functional.adjust_contrast,
    functional.adjust_saturation,
    functional.adjust_hue,
]
FACTORS = [(number, f) for number in range(3) for f in (0.0, 0.35, 0.9, 1.3, 2.5)]
JITTER = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
SHIFTS = [-0.5, -0.2, -0.03, 0.1, 0.37]


def build(kind, **options):
    return TRANSFORMS.build(dict(type=kind, **options))


def image_of(seed=0, side=64):
    """A smooth picture in its upper half, noise below."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    image = np.array(coarse.resize((side, side), Image.Resampling.BICUBIC))
    image[side // 2 :] = rng.integers(0, 256, (side // 2, side, 3))
    return image


def sample_of(t=3):
    frames = np.stack([image_of(seed) for seed in range(t)])
    return dict(frames=frames, video='v', rng=np.random.default_rng(0))


def one(number, factor, engine):
    factors = np.array(color.NEUTRAL)
    factors[number] = factor
    return color.jitter(image_of(), np.arange(4), factors, engine)


@pytest.mark.parametrize(
    ('number', 'factor'), [*FACTORS, *((HUE, shift) for shift in SHIFTS)]
)
def test_pillow_equals_torchvision(number, factor):
    theirs = ADJUST[number](Image.fromarray(image_of()), factor)
    np.testing.assert_array_equal(one(number, factor, 'pillow'), np.asarray(theirs))


@pytest.mark.parametrize(('number', 'factor'), FACTORS)
def test_opencv_is_one_level_off(number, factor):
    theirs = np.asarray(ADJUST[number](Image.fromarray(image_of()), factor), int)
    difference = np.abs(one(number, factor, 'opencv') - theirs)
    assert difference.max() <= max(1, abs(factor - 1) + 0.5)  # luma is 1 off at most
    assert difference.mean() < 0.03


def test_opencv_hue_is_nearer_to_the_exact_one_than_pillow():
    pixels = image_of().reshape(-1, 3) / 255
    turned = [colorsys.rgb_to_hsv(*pixel) for pixel in pixels]
    errors = {engine: [] for engine in color.ENGINES}
    for shift in SHIFTS:
        exact = 255 * np.array(
            [colorsys.hsv_to_rgb((h + shift) % 1, s, v) for h, s, v in turned]
        )
        for engine, found in errors.items():
            found.append(np.abs(one(HUE, shift, engine).reshape(-1, 3) - exact))
    assert np.mean(errors['opencv']) < np.mean(errors['pillow'])
    assert np.mean(errors['opencv']) < 1
    assert np.max(errors['opencv']) < 12  # a wheel of 6 * 256 colours in 256 steps


def test_values_by_hand():
    image = np.array([[[100, 50, 0], [200, 200, 200]]], np.uint8)
    luma = round(0.299 * 100 + 0.587 * 50)  # 59
    mean = round((luma + 200) / 2)  # 129.5, rounded up
    order = np.arange(4)
    for engine in color.ENGINES:
        gray = color.gray(image, engine)
        assert gray.tolist() == [[[luma] * 3, [200] * 3]]
        out = color.jitter(image, order, np.array([1.5, 1, 1, 0]), engine)
        assert out.tolist() == [[[150, 75, 0], [255, 255, 255]]]
        out = color.jitter(image, order, np.array([1, 0.5, 1, 0]), engine)
        assert out[0, 0].tolist() == [int((mean + x) / 2) for x in (100, 50, 0)]
        out = color.jitter(image, order, np.array([1, 1, 0.5, 0]), engine)
        assert out[0, 0].tolist() == [int((luma + x) / 2) for x in (100, 50, 0)]
        out = color.jitter(image, order, np.array([1, 1, 1, 0.5]), engine)
        assert out[0, 1].tolist() == [200, 200, 200]


def test_order_matters_and_is_kept():
    factors = np.array([1.8, 0.4, 1.0, 0.0])
    image = Image.fromarray(image_of())
    first = functional.adjust_contrast(functional.adjust_brightness(image, 1.8), 0.4)
    second = functional.adjust_brightness(functional.adjust_contrast(image, 0.4), 1.8)
    for order, theirs in [([0, 1, 2, 3], first), ([3, 1, 2, 0], second)]:
        ours = color.jitter(image_of(), np.array(order), factors, 'pillow')
        np.testing.assert_array_equal(ours, np.asarray(theirs))


@pytest.mark.parametrize('engine', color.ENGINES)
def test_neutral_factors_copy(engine):
    image = image_of()
    same = color.jitter(image, np.arange(4), np.array(color.NEUTRAL), engine)
    np.testing.assert_array_equal(same, image)
    assert same is not image


@pytest.mark.parametrize('engine', color.ENGINES)
def test_all_at_once_in_place_equals_a_new_image(engine):
    image, order = image_of(), np.array([3, 1, 0, 2])
    factors = np.array([1.2, 0.7, 1.4, -0.1])
    expected = color.jitter(image, order, factors, engine)
    np.testing.assert_array_equal(image, image_of())  # the input is as it was
    assert color.jitter(image, order, factors, engine, image) is image
    np.testing.assert_array_equal(image, expected)


def test_blur():
    """An impulse becomes the Gaussian; Pillow's is its own filter."""
    image = np.zeros((31, 31, 3), np.uint8)
    image[15, 15] = 255
    blurred = color.gaussian_blur(image, 1.5)[..., 0]
    places = np.arange(-15, 16)
    bell = np.exp(-(places**2) / (2 * 1.5**2))
    expected = 255 * np.outer(bell, bell) / bell.sum() ** 2
    assert np.abs(blurred - expected).max() <= 1
    narrow = color.gaussian_blur(image, 1.5, kernel_size=3)[..., 0]
    assert np.count_nonzero(narrow) == 9
    pillow = Image.fromarray(image).filter(ImageFilter.GaussianBlur(1.5))
    ours = color.gaussian_blur(image, 1.5, 'pillow')
    np.testing.assert_array_equal(ours, np.asarray(pillow))


def test_blur_keeps_constant_frames_up_to_the_border():
    image = np.full((9, 9, 3), 77, np.uint8)
    assert (color.gaussian_blur(image, 2.0) == 77).all()


# --- draws -------------------------------------------------------------------------


def test_ranges_of_factors():
    jitter = build('ClipColorJitter', brightness=0.4, contrast=(0.5, 0.6), hue=0.1)
    sample = dict(frames=[np.zeros((2, 2, 3), np.uint8)])
    rng = np.random.default_rng(0)
    factors = np.stack([jitter.draw(rng, sample)['factors'][0] for _ in range(2000)])
    low, high = factors.min(0), factors.max(0)
    np.testing.assert_allclose(low, [0.6, 0.5, 1.0, -0.1], atol=5e-3)
    np.testing.assert_allclose(high, [1.4, 0.6, 1.0, 0.1], atol=5e-3)
    wide = build('ClipColorJitter', brightness=1.5)
    assert wide.ranges.ranges[BRIGHTNESS].tolist() == [0.0, 2.5]


def test_every_order_is_drawn():
    jitter = build('ClipColorJitter', brightness=0.1)
    sample = dict(frames=[np.zeros((2, 2, 3), np.uint8)])
    rng = np.random.default_rng(0)
    orders = {tuple(jitter.draw(rng, sample)['orders'][0]) for _ in range(500)}
    assert len(orders) == 24


@pytest.mark.parametrize('per_frame', [False, True])
def test_jitter_of_a_clip(per_frame):
    sample = sample_of()
    jitter = build('ClipColorJitter', **JITTER, per_frame=per_frame)
    drawn = jitter.draw(sample['rng'], sample)
    assert (len(np.unique(drawn['factors'], axis=0)) == 3) is per_frame
    out = jitter.apply(sample, **drawn)['frames']
    for i, frame in enumerate(sample['frames']):
        expected = color.jitter(frame, drawn['orders'][i], drawn['factors'][i])
        np.testing.assert_array_equal(out[i], expected)


def test_applied_with_probability():
    sample = dict(frames=np.zeros((2000, 2, 2, 3), np.uint8))
    jitter = build('ClipColorJitter', brightness=0.4, prob=0.8, per_frame=True)
    applied = jitter.draw(np.random.default_rng(0), sample)['applied']
    assert abs(applied.mean() - 0.8) < 0.05
    untouched = build('ClipColorJitter', brightness=0.4, prob=0.0)
    sample['rng'] = np.random.default_rng(0)
    assert untouched(sample)['frames'] is sample['frames']


@pytest.mark.parametrize('engine', color.ENGINES)
def test_gray_of_some_frames(engine):
    sample = sample_of()
    gray = build('ClipRandomGray', engine=engine)
    out = gray.apply(sample, applied=np.array([True, False, True]))['frames']
    np.testing.assert_array_equal(out[1], sample['frames'][1])
    luma = np.asarray(Image.fromarray(sample['frames'][2]).convert('L'), int)
    assert np.abs(out[2] - luma[..., None]).max() <= 1


def test_sigmas_per_clip_and_per_frame():
    sample = dict(frames=np.zeros((50, 2, 2, 3), np.uint8))
    shared = build('ClipGaussianBlur', prob=1.0)
    sigmas = shared.draw(np.random.default_rng(0), sample)['sigmas']
    assert len(set(sigmas)) == 1
    assert 0.1 <= sigmas[0] <= 2
    single = build('ClipGaussianBlur', sigma=(0.5, 0.6), prob=1.0, per_frame=True)
    sigmas = single.draw(np.random.default_rng(0), sample)['sigmas']
    assert len(set(sigmas)) == 50
    assert 0.5 <= min(sigmas) < max(sigmas) <= 0.6
    never = build('ClipGaussianBlur', prob=0.0).draw(np.random.default_rng(0), sample)
    assert not never['sigmas'].any()


def test_blur_may_be_decided_for_every_frame():
    sample = dict(frames=np.zeros((200, 2, 2, 3), np.uint8))
    both = dict(per_frame=True, decide_per_frame=True)
    sigmas = build('ClipGaussianBlur', **both).draw(np.random.default_rng(0), sample)
    blurred = sigmas['sigmas'][sigmas['sigmas'] > 0]
    assert 60 < len(blurred) < 140
    assert len(set(blurred)) == len(blurred)
    once = build('ClipGaussianBlur', per_frame=True)
    for seed in range(4):
        sigmas = once.draw(np.random.default_rng(seed), sample)['sigmas']
        assert np.count_nonzero(sigmas) in (0, 200)


def test_blur_of_a_clip():
    sample = sample_of()
    blur = build('ClipGaussianBlur', kernel_size=5)
    out = blur.apply(sample, sigmas=np.array([0.0, 1.0, 2.0]))['frames']
    np.testing.assert_array_equal(out[0], sample['frames'][0])
    expected = color.gaussian_blur(sample['frames'][2], 2.0, kernel_size=5)
    np.testing.assert_array_equal(out[2], expected)


@pytest.mark.parametrize(
    ('kind', 'options', 'text'),
    [
        ('ClipColorJitter', dict(engine='gpu'), "engine is 'gpu', allowed are"),
        ('ClipColorJitter', dict(hue=0.6), r'hue of the jitter .*within \[-0.5, 0.5\]'),
        ('ClipColorJitter', dict(contrast=-1), 'contrast of the jitter is -1'),
        ('ClipColorJitter', dict(contrast=(2, 1)), 'contrast of the jitter should be'),
        ('ClipColorJitter', dict(prob=-0.1), 'prob of ClipColorJitter'),
        ('ClipRandomGray', dict(prob=2), 'prob of ClipRandomGray'),
        ('ClipRandomGray', dict(engine='gpu'), "engine is 'gpu'"),
        ('ClipGaussianBlur', dict(sigma=(0, 1)), 'sigma should begin above 0'),
        ('ClipGaussianBlur', dict(sigma=(2, 1)), 'sigma should be'),
        ('ClipGaussianBlur', dict(kernel_size=4), 'kernel_size is 4, it must be odd'),
        ('ClipGaussianBlur', dict(kernel_size=3, engine='pillow'), 'Pillow has none'),
        ('ClipGaussianBlur', dict(engine='gpu'), "engine is 'gpu'"),
    ],
)
def test_bad_options(kind, options, text):
    with pytest.raises(ValueError, match=text):
        build(kind, **options)


def test_only_the_last_operation_may_count():
    jitter = build('ClipColorJitter', **JITTER, only_last=True)
    sample = sample_of()
    drawn = jitter.draw(sample['rng'], sample)
    out = jitter.apply(sample, **drawn)['frames']
    number = drawn['orders'][0][-1]
    for frame, found in zip(sample['frames'], out, strict=True):
        expected = color.jitter(frame, np.array([number]), drawn['factors'][0])
        np.testing.assert_array_equal(found, expected)
