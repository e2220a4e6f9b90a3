import numpy as np
import pytest
import torch
from PIL import Image

from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.labels import (
    LabelCodec,
    encode_labels,
    floor_nearest,
    nearest_labels,
    stretch,
    upsample_argmax,
)

RNG = np.random.default_rng(0)


def blobs(height=48, width=64):
    label_map = np.zeros((height, width), np.uint8)
    label_map[8:24, 10:34] = 1
    label_map[26:44, 30:60] = 7
    return label_map


@pytest.mark.parametrize('how', ['bilinear', 'bilinear_align_corners', 'nearest'])
def test_channels_sum_to_one_when_all_ids_are_given(how):
    soft = encode_labels(blobs(), [0, 1, 7], (6, 8), how)
    torch.testing.assert_close(soft.sum(0), torch.ones(6, 8))


def test_ids_with_gaps_come_back():
    codec, plan = LabelCodec(), resolve_size((48, 64))
    soft = codec.to_soft(blobs(), [0, 1, 7], plan, (24, 32))
    back = codec.to_labels(soft, [0, 1, 7], plan)
    assert set(np.unique(back)) == {0, 1, 7}
    assert (back == blobs()).mean() > 0.97


def test_nearest_is_pillows():
    label_map = RNG.integers(0, 9, (30, 47)).astype(np.uint8)
    image = Image.fromarray(label_map).resize((13, 11), Image.Resampling.NEAREST)
    assert np.array_equal(nearest_labels(label_map, (11, 13)), np.asarray(image))


def test_floor_nearest_takes_the_upper_left_pixel():
    small = floor_nearest(torch.arange(16).view(4, 4), (2, 2))
    assert small.tolist() == [[0, 2], [8, 10]]


def test_stretch_maps_to_zero_and_one_and_leaves_empty_maps():
    maps = torch.stack([torch.rand(4, 5) + 3, torch.zeros(4, 5), -torch.ones(4, 5)])
    out = stretch(maps)
    assert (float(out[0].min()), float(out[0].max())) == (0.0, 1.0)
    assert torch.equal(out[1:], maps[1:])


@pytest.mark.parametrize('stretched', [True, False])
def test_channels_in_pieces_equal_all_at_once(stretched):
    soft = torch.rand(11, 5, 6)
    size = (20, 24)
    full = torch.nn.functional.interpolate(soft[None], size, mode='bilinear')[0]
    full = stretch(full) if stretched else full
    channel, value = upsample_argmax(soft, size, 'bilinear', stretched)
    torch.testing.assert_close(value, full.amax(0), atol=1e-6, rtol=0)
    chosen = full.gather(0, channel[None])[0]
    torch.testing.assert_close(chosen, full.amax(0), atol=1e-6, rtol=0)


def test_the_first_of_equal_channels_wins():
    channel, _ = upsample_argmax(torch.zeros(9, 2, 2), (4, 4))
    assert not channel.any()


@pytest.mark.parametrize('rounding', ['pad', 'nearest', 'floor', 'ceil'])
@pytest.mark.parametrize('decode_size', ['image', 'input'])
def test_labels_cover_the_image_under_every_size_policy(rounding, decode_size):
    label_map = blobs(50, 70)
    label_map[-3:, -3:] = 7  # the corner that a patch convolution would drop
    plan = resolve_size((50, 70), multiple=16, rounding=rounding)
    codec = LabelCodec(decode_size=decode_size)
    grid = (plan.input_size[0] // 2, plan.input_size[1] // 2)
    soft = codec.to_soft(label_map, [0, 1, 7], plan, grid)
    back = codec.to_labels(soft, [0, 1, 7], plan)
    assert back.shape == label_map.shape
    assert back[-1, -1] == 7
    assert (back == label_map).mean() > 0.95


def test_first_output():
    plan, label_map = resolve_size((48, 64)), blobs()
    soft = encode_labels(label_map, [0, 1, 7], (6, 8))
    given = LabelCodec(first_output='given')
    assert given.first_labels(label_map, soft, [0, 1, 7], plan) is label_map
    resized = LabelCodec(first_output='resized')
    assert np.array_equal(
        resized.first_labels(label_map, soft, [0, 1, 7], plan), label_map
    )
    decoded = LabelCodec(first_output='decoded')
    expected = decoded.to_labels(soft, [0, 1, 7], plan)
    assert np.array_equal(
        decoded.first_labels(label_map, soft, [0, 1, 7], plan), expected
    )


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('encode', 'linear'),
        ('decode', 'bicubic'),
        ('decode_size', 'grid'),
        ('stretch', 'all'),
        ('first_output', 'none'),
    ],
)
def test_unknown_options_name_the_allowed_ones(option, value):
    with pytest.raises(ValueError, match=f"{option} is '{value}'; it should be one of"):
        LabelCodec(**{option: value})


def test_unknown_ways_and_empty_maps_are_refused():
    with pytest.raises(ValueError, match=r"encoding is 'cubic'.*'bilinear'"):
        encode_labels(blobs(), [0], (6, 8), 'cubic')
    with pytest.raises(ValueError, match=r"decoding is 'cubic'.*'bilinear'"):
        upsample_argmax(torch.zeros(1, 2, 2), (4, 4), 'cubic')
    with pytest.raises(ValueError, match='no channel'):
        upsample_argmax(torch.zeros(0, 2, 2), (4, 4))


def test_decoding_by_nearest_gives_every_pixel_its_cell():
    soft = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    channel, value = upsample_argmax(soft, (12, 15), 'nearest')
    cells = soft.argmax(0).repeat_interleave(3, 0).repeat_interleave(3, 1)
    assert torch.equal(channel, cells)
    assert torch.equal(value[::3, ::3], soft.amax(0))
