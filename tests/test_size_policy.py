import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from densecorr.ops.size_policy import SizePlan, fit_multiple, resolve_size

SIZES = [(480, 854), (854, 480), (480, 910), (480, 1152), (97, 97), (61, 200), (7, 5)]
POLICIES = [
    dict(),
    dict(multiple=16, rounding='nearest'),
    dict(multiple=16, rounding='floor'),
    dict(multiple=14, rounding='ceil'),
    dict(multiple=16, rounding='pad'),
    dict(short_side=480, long_multiple=64),
    dict(short_side=480),
    dict(short_side=256, side_rounding='floor', align_corners=True),
    dict(short_side=101, multiple=8, rounding='pad'),
    dict(fixed=(480, 880)),
]
PAIRS = list(itertools.product(SIZES, POLICIES))


@pytest.mark.parametrize(
    ('size', 'policy', 'expected'),
    [
        ((480, 854), {}, (480, 854)),
        ((480, 854), dict(multiple=16, rounding='floor'), (480, 848)),  # SMTC
        ((480, 910), dict(multiple=16, rounding='floor'), (480, 896)),
        ((480, 910), dict(multiple=8, rounding='floor'), (480, 904)),
        ((480, 854), dict(multiple=16, rounding='ceil'), (480, 864)),
        ((480, 854), dict(multiple=16, rounding='nearest'), (480, 848)),
        ((480, 856), dict(multiple=16, rounding='nearest'), (480, 864)),
        ((480, 854), dict(multiple=16, rounding='pad'), (480, 864)),
        ((480, 854), dict(short_side=480, long_multiple=64), (480, 832)),  # DINO
        ((480, 910), dict(short_side=480, long_multiple=64), (480, 896)),
        ((480, 1152), dict(short_side=480, long_multiple=64), (480, 1152)),
        ((854, 480), dict(short_side=480, long_multiple=64), (832, 480)),
        ((500, 500), dict(short_side=480, long_multiple=64), (480, 448)),
        ((1080, 1920), dict(short_side=480), (480, 853)),  # int(853.33 + 0.5)
        ((360, 641), dict(short_side=480), (480, 855)),  # int(854.67 + 0.5)
        ((360, 641), dict(short_side=480, side_rounding='floor'), (480, 854)),  # DUL
        ((480, 854), dict(fixed=(480, 880)), (480, 880)),  # CatMAE
        ((7, 5), dict(multiple=16, rounding='floor'), (16, 16)),
    ],
)
def test_published_sizes(size, policy, expected):
    assert resolve_size(size, **policy).input_size == expected


@pytest.mark.parametrize(('size', 'policy'), PAIRS)
def test_points_come_back(size, policy):
    plan = resolve_size(size, **policy)
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(50, 2, generator=generator) * torch.tensor(size[::-1])
    assert (plan.to_image(plan.to_input(points)) - points).abs().max() < 1e-6
    assert (plan.to_input(plan.to_image(points)) - points).abs().max() < 1e-6


@pytest.mark.parametrize(('size', 'policy'), PAIRS)
def test_no_border_is_lost(size, policy):
    """The image's outer edges lie on the outer edges of the resized image."""
    plan = resolve_size(size, **policy)
    far = torch.tensor([size[1], size[0]], dtype=torch.float64)
    inner = torch.tensor([plan.resized_size[1], plan.resized_size[0]]).double()
    half = 0.5 * (not plan.align_corners)  # edges of pixels, or centres of corners
    one = 1 - half * 2
    near_edge = plan.to_input(torch.full((2,), -half, dtype=torch.float64))
    far_edge = plan.to_input(far - one - half)
    torch.testing.assert_close(near_edge, torch.full_like(near_edge, -half))
    torch.testing.assert_close(far_edge, inner - one - half)
    assert all(pad >= 0 for pad in plan.pad)


def test_points_by_hand():
    plan = resolve_size((100, 200), fixed=(50, 50))
    points = torch.tensor([[0.0, 0.0], [199.0, 99.0]])
    expected = torch.tensor([[-0.375, -0.25], [49.375, 49.25]]).double()
    torch.testing.assert_close(plan.to_input(points), expected)
    corners = resolve_size((100, 200), fixed=(50, 50), align_corners=True)
    expected = torch.tensor([[0.0, 0.0], [49.0, 49.0]]).double()
    torch.testing.assert_close(corners.to_input(points), expected)


def test_padding_never_reaches_the_image():
    plan = resolve_size((10, 13), multiple=8, rounding='pad')
    assert plan.input_size == (16, 16)
    assert plan.pad == (6, 3)
    label_map = torch.arange(10 * 13).reshape(10, 13)
    padded = plan.pad_maps(label_map, value=-1)
    assert padded.shape == (16, 16)
    assert torch.equal(plan.crop_maps(padded), label_map)
    assert torch.equal(plan.label_map_to_image(padded), label_map)


@pytest.mark.parametrize(('size', 'policy'), PAIRS)
def test_label_maps_come_back_at_the_image_size(size, policy):
    plan = resolve_size(size, **policy)
    padded = torch.full(plan.input_size, 9)
    plan.crop_maps(padded)[:] = 1
    plan.crop_maps(padded)[:, plan.resized_size[1] // 2 :] = 2
    label_map = plan.label_map_to_image(padded)
    assert tuple(label_map.shape) == size
    assert set(label_map.unique().tolist()) <= {1, 2}
    border = int((label_map[0] == 1).sum())
    centre = plan.to_image(torch.tensor([plan.resized_size[1] // 2 - 0.5, 0.0]))[0]
    assert abs(border - (centre.item() + 0.5)) <= 0.5 + 1e-3


@pytest.mark.parametrize('width', [854, 910, 1152, 97, 333])
@pytest.mark.parametrize('resized', [832, 848, 896, 480, 64])
def test_label_maps_come_back_like_pillow(width, resized):
    """Also where a centre falls on the border between two pixels (854 to 832)."""
    plan = SizePlan((5, width), (3, resized), (3, resized))
    columns = np.tile(np.arange(resized, dtype=np.int32), (3, 1))
    expected = Image.fromarray(columns).resize((width, 5), Image.Resampling.NEAREST)
    actual = plan.label_map_to_image(torch.from_numpy(columns))
    np.testing.assert_array_equal(actual.numpy(), np.asarray(expected))


def test_label_map_of_aligned_corners_by_hand():
    plan = SizePlan((1, 5), (1, 3), (1, 3), align_corners=True)
    actual = plan.label_map_to_image(torch.tensor([[7, 8, 9]]))
    assert actual.tolist() == [[7, 8, 8, 9, 9]]  # 0, 0.5, 1, 1.5, 2; halves go up


def test_fit_multiple_is_a_multiple_next_to_the_size():
    for side, multiple in itertools.product(range(1, 60), [1, 7, 14, 16]):
        down, near, up = (
            fit_multiple((side, side), multiple, rule)[0]
            for rule in ('floor', 'nearest', 'ceil')
        )
        assert {down % multiple, near % multiple, up % multiple} == {0}
        assert up - multiple < side <= up
        assert down == multiple or down <= side < down + multiple
        assert near in (down, up)


def test_errors():
    with pytest.raises(ValueError, match=r"480x854.*of 16.*480x848.*480x864.*'pad'"):
        resolve_size((480, 854), multiple=16)
    with pytest.raises(ValueError, match=r"rounding is 'crop', allowed are"):
        resolve_size((480, 854), multiple=16, rounding='crop')
    with pytest.raises(ValueError, match=r"side_rounding is 'up', allowed are"):
        resolve_size((480, 854), short_side=480, side_rounding='up')
    with pytest.raises(ValueError, match=r'fixed=\(4, 4\).*short_side=480.*Remove'):
        resolve_size((480, 854), short_side=480, fixed=(4, 4))
    with pytest.raises(ValueError, match=r'long_multiple=64 needs short_side'):
        resolve_size((480, 854), long_multiple=64)
    with pytest.raises(ValueError, match=r'multiple is 0, it must be at least 1'):
        resolve_size((480, 854), multiple=0)
    plan = resolve_size((10, 13), multiple=8, rounding='pad')
    with pytest.raises(ValueError, match=r'10x13, the input of this plan is 16x16'):
        plan.crop_maps(torch.zeros(10, 13))
