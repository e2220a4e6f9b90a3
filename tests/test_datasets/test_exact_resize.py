"""Frames that are resized without rounding to grey levels."""

import numpy as np
import pytest

from densecorr.datasets.collate import collate_clips
from densecorr.datasets.transforms.flip import ClipRandomFlip
from densecorr.datasets.transforms.pack import PackClip
from densecorr.datasets.transforms.resize import ClipResize
from densecorr.models.methods.base import ImageNormalizer


def sample(height=12, width=16):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, height, width, 3), np.uint8)
    return dict(frames=frames, video='clip', rng=rng)


def test_values_are_near_the_rounded_ones_and_not_rounded():
    rounded = ClipResize(size=(8, 10))(sample())['frames']
    exact = ClipResize(size=(8, 10), exact=True)(sample())['frames']
    assert exact.dtype == np.float32
    assert exact.shape == (2, 8, 10, 3)
    np.testing.assert_allclose(exact * 255, rounded, atol=1.01)
    assert not (exact * 255 == np.round(exact * 255)).all()


def test_the_same_size_keeps_the_pixels():
    given = sample()
    exact = ClipResize(size=(12, 16), exact=True)(given)['frames']
    np.testing.assert_allclose(exact, given['frames'] / 255, atol=1e-7)


def test_they_are_packed_and_normalised_as_they_are():
    clip = ClipResize(size=(8, 10), exact=True)(sample())
    batch = collate_clips([PackClip()(clip)] * 2)['inputs']['frames']
    assert batch.shape == (2, 2, 3, 8, 10)
    normalize = ImageNormalizer((0.5,) * 3, (0.5,) * 3)
    expected = (clip['frames'][1, 3, 4] - 0.5) / 0.5
    np.testing.assert_allclose(normalize(batch)[0, 1, :, 3, 4], expected, rtol=1e-5)


def test_only_packing_may_follow():
    clip = ClipResize(size=(8, 10), exact=True)(sample())
    with pytest.raises(TypeError, match='takes uint8 RGB'):
        ClipRandomFlip(prob=1.0)(clip)


def test_other_resizers_are_refused():
    with pytest.raises(ValueError, match="exact=True of ClipResize needs resizer='op"):
        ClipResize(size=8, resizer='pillow', exact=True)
