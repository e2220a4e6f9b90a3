import colorsys

import pytest
import torch

from densecorr.ops import augment


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_neutral_factors_change_nothing():
    frames = images(2, 3, 6, 5)
    found = augment.jitter(frames, (3, 1, 0, 2), (1.0, 1.0, 1.0, 0.0))
    torch.testing.assert_close(found, frames, atol=1e-6, rtol=0)


@pytest.mark.parametrize('turns', [0.1, -0.3, 0.5])
def test_hue_is_that_of_hsv(turns):
    frames = images(3, 4, 4)
    frames[:, 0, 0] = 0.5  # grey has no hue
    found = augment.hue(frames, turns)
    for y in range(4):
        for x in range(4):
            h, s, v = colorsys.rgb_to_hsv(*frames[:, y, x].tolist())
            expected = colorsys.hsv_to_rgb((h + turns) % 1, s, v)
            assert found[:, y, x].tolist() == pytest.approx(expected, abs=1e-5)


def test_gray_has_three_equal_channels():
    frames = images(2, 3, 4, 4)
    found = augment.gray(frames)
    assert torch.equal(found[:, 0], found[:, 2])
    torch.testing.assert_close(found[:, :1], augment.luma(frames))
    torch.testing.assert_close(augment.saturation(frames, 0.0), found)


def test_contrast_keeps_the_mean_luma_of_each_image():
    frames = 0.25 + images(2, 3, 8, 8) / 2
    means = [augment.luma(x).mean((1, 2, 3)) for x in (frames, frames)]
    found = augment.luma(augment.contrast(frames, 0.5)).mean((1, 2, 3))
    torch.testing.assert_close(found, means[0])


def test_blur_of_a_point_is_the_kernel():
    frame = torch.zeros(1, 3, 9, 9)
    frame[..., 4, 4] = 1
    found = augment.gaussian_blur(frame, 1.0, (5, 3))[0, 0]
    assert float(found.sum()) == pytest.approx(1)
    assert int((found > 0).sum()) == 15
    assert float(found[4, 4] / found[5, 4]) == pytest.approx(2.718281828**0.5)
    flat = torch.full((2, 3, 7, 7), 0.3)
    torch.testing.assert_close(augment.gaussian_blur(flat, 2.0, (7, 7)), flat)


def test_kernels_that_do_not_fit():
    for kernel in ((4, 3), (3, 11)):
        with pytest.raises(ValueError, match=r'kernel of the blur is .* of 5x5'):
            augment.gaussian_blur(torch.zeros(3, 5, 5), 1.0, kernel)
