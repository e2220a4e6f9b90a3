import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from densecorr.propagation.frames import FrameInput, resize_maps

MEAN, STD = (0.485, 0.456, 0.406), (0.228, 0.224, 0.225)
LAB = dict(color='lab', mean=(50, 0, 0), std=(50, 127, 127))


def frame(height=61, width=97):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def smooth_frame(height, width):
    y, x = np.mgrid[:height, :width]
    channels = [x / width, y / height, 0.5 + 0.4 * np.sin(x / 9 + y / 7)]
    return (255 * np.stack(channels, -1)).astype(np.uint8)


def test_native_rgb_by_hand():
    pixels, image = frame(), FrameInput(mean=MEAN, std=STD)(frame())
    assert image.shape == (3, 61, 97)
    assert image.dtype == torch.float32
    expected = (pixels[5, 7] / 255 - np.array(MEAN)) / np.array(STD)
    np.testing.assert_allclose(image[:, 5, 7].numpy(), expected, atol=1e-6)


def test_lab_of_known_colours():
    """White is L = 100, black 0; pure red is (53.24, 80.09, 67.20) in CIE LAB."""
    pixels = np.zeros((1, 3, 3), np.uint8)
    pixels[0, 0], pixels[0, 2] = 255, (255, 0, 0)
    image = FrameInput(**LAB)(pixels)[:, 0].T.numpy()
    expected = np.array([[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20]])
    lab = image * np.array([50, 127, 127]) + np.array([50, 0, 0])
    np.testing.assert_allclose(lab, expected, atol=0.3)


def test_resizers_do_what_their_names_say():
    pixels, size = frame(), dict(fixed=(40, 50))
    plain = dict(mean=(0, 0, 0), std=(1, 1, 1), size=size)
    by_name = {
        name: FrameInput(**plain, resizer=name)(pixels).permute(1, 2, 0).numpy()
        for name in ('opencv', 'pillow', 'torch', 'torch_align_corners')
    }
    opencv = cv2.resize(pixels, (50, 40), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(by_name['opencv'], opencv / 255, atol=1e-6)
    pillow = np.asarray(Image.fromarray(pixels).resize((50, 40), Image.BILINEAR))
    np.testing.assert_allclose(by_name['pillow'], pillow / 255, atol=1e-6)
    floats = cv2.resize(pixels / 255, (50, 40), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(by_name['torch'], floats, atol=1e-5)
    corners = by_name['torch_align_corners']
    np.testing.assert_allclose(corners[0, 0], pixels[0, 0] / 255, atol=1e-6)
    np.testing.assert_allclose(corners[-1, -1], pixels[-1, -1] / 255, atol=1e-6)


@pytest.mark.parametrize('resizer', ['opencv', 'torch', 'torch_align_corners'])
@pytest.mark.parametrize('target', [(48, 64), (150, 200)])
def test_plan_tells_where_pixels_went(resizer, target):
    """A ramp that holds its own x coordinate arrives at the plan's coordinates."""
    ramp = np.zeros((100, 120, 3), np.uint8)
    ramp[...] = np.arange(120)[None, :, None]
    plain = dict(mean=(0, 0, 0), std=(1, 1, 1), resizer=resizer)
    inputs = FrameInput(**plain, size=dict(fixed=target))
    seen = inputs(ramp)[0, 5] * 255  # x in the frame that each column shows
    columns = torch.arange(target[1])
    points = torch.stack([columns, torch.full_like(columns, 5)], -1)
    expected = inputs.plan(100, 120).to_image(points)[:, 0]
    inside = (expected > 1) & (expected < 118)
    error = (seen.double() - expected).abs()[inside].max()
    assert error < (1 if resizer == 'opencv' else 1e-4)  # OpenCV cuts to uint8


@pytest.mark.parametrize('resizer', ['opencv', 'pillow', 'torch'])
@pytest.mark.parametrize('rounding', ['nearest', 'floor', 'ceil', 'pad'])
def test_no_column_is_lost(resizer, rounding):
    """Changing the last column or row of the frame changes the input."""
    size = dict(multiple=16, rounding=rounding)
    inputs = FrameInput(size=size, resizer=resizer)
    dark = np.zeros((90, 103, 3), np.uint8)
    for index in [(-1, slice(None)), (slice(None), -1)]:
        light = dark.copy()
        light[index] = 255
        assert (inputs(light) != inputs(dark)).any()
        assert all(side % 16 == 0 for side in inputs(light).shape[1:])


def test_padding_is_the_mean_colour_and_nothing_else_changes():
    inputs = FrameInput(size=dict(multiple=16, rounding='pad'))
    image, plain = inputs(frame()), FrameInput()(frame())
    assert image.shape == (3, 64, 112)
    assert torch.equal(image[:, :61, :97], plain)
    assert image[:, 61:].abs().max() == image[:, :, 97:].abs().max() == 0
    assert torch.equal(inputs.plan(61, 97).crop_maps(image), plain)


def test_flip_equivariance():
    inputs = FrameInput(size=dict(fixed=(64, 96)), resizer='torch')
    pixels = smooth_frame(90, 130)
    flipped = inputs(np.ascontiguousarray(pixels[:, ::-1]))
    torch.testing.assert_close(flipped, inputs(pixels).flip(-1), rtol=0, atol=1e-5)


def test_published_inputs():
    shapes = {
        'dino': (dict(short_side=480, long_multiple=64), (480, 832)),
        'smtc': (dict(multiple=16, rounding='floor'), (480, 848)),
        'catmae': (dict(fixed=(480, 880)), (480, 880)),
        'native': (None, (480, 854)),
    }
    for name, (size, expected) in shapes.items():
        image = FrameInput(size=size)(np.zeros((480, 854, 3), np.uint8))
        assert tuple(image.shape[1:]) == expected, name


def test_multiple_of_the_network_is_refused_until_a_policy_is_set():
    with pytest.raises(ValueError, match=r'61x97.*multiple of 16.*48x96 and 64x112'):
        FrameInput(multiple=16)(frame())
    image = FrameInput(multiple=16, size=dict(rounding='ceil'))(frame())
    assert image.shape == (3, 64, 112)


def test_resize_maps_keeps_leading_axes():
    maps = torch.rand(2, 3, 4, 8, 10)
    out = resize_maps(maps, (16, 20))
    assert out.shape == (2, 3, 4, 16, 20)
    torch.testing.assert_close(out[1, 2], resize_maps(maps[1, 2], (16, 20)))
    back = resize_maps(resize_maps(maps, (15, 19), True), (8, 10), True)
    torch.testing.assert_close(back, maps)  # every second sample is the original


def test_errors():
    with pytest.raises(ValueError, match=r"color is 'bgr', allowed.*'lab'"):
        FrameInput(color='bgr')
    with pytest.raises(ValueError, match=r"resizer is 'cv2', allowed.*'opencv'"):
        FrameInput(resizer='cv2')
    with pytest.raises(
        ValueError, match=r'std \(1, 1, 0\): each needs three numbers, those of std'
    ):
        FrameInput(std=(1, 1, 0))
    with pytest.raises(TypeError, match=r'float32 of shape \(4, 4, 3\).*uint8 RGB'):
        FrameInput()(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(TypeError, match=r'unexpected keyword argument .short_sides'):
        FrameInput(size=dict(short_sides=480))
