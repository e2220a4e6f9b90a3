"""Joints to soft labels and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from densecorr.ops.size_policy import SizePlan, resolve_size
from densecorr.propagation.joints import (
    JointCodec,
    add_background,
    gaussian_maps,
    mean_of_top,
)

SPA = dict(
    draw='image',
    sigma=4,
    background=False,
    topk=5,
    decode='image',
    first_output='resized',
)
CRW = dict(draw='grid', sigma=0.5, background=True, topk=3, decode='grid')


def native(size: tuple[int, int]) -> SizePlan:
    return resolve_size(size)


def test_a_gaussian_peaks_on_a_cell_and_falls_as_the_formula_says() -> None:
    (drawn,) = gaussian_maps(np.array([[10.0, 9.0]]), (20, 24), 1.0).numpy()
    assert drawn[9, 10] == 1.0
    assert drawn[9, 12] == pytest.approx(math.exp(-2))
    assert drawn[8, 12] == pytest.approx(math.exp(-2.5))
    assert drawn[9, 13] > 0 and drawn[9, 14] == 0  # three sigma, then nothing


def test_the_peak_takes_the_whole_number_and_one_more_near_the_left_border() -> None:
    points = np.array([[20.7, 20.2], [5.3, 7.0]])
    far, near = gaussian_maps(points, (40, 40), 4.0).numpy()
    assert np.argwhere(far == 1).tolist() == [[20, 20]]
    assert np.argwhere(near == 1).tolist() == [[7, 6]]  # int() drops towards zero


def test_points_outside_leave_what_reaches_in_and_points_far_outside_nothing() -> None:
    points = np.array([[-1.0, 5.0], [11.0, 5.0], [-40.0, 5.0], [5.0, np.nan]])
    maps = gaussian_maps(points, (10, 10), 1.0)
    assert maps[0, 5, 0] > 0 and maps[1, 5, 9] > 0
    assert not maps[2:].any()
    assert gaussian_maps(points, (10, 10), 0.0).sum() == 0


def test_sigma_zero_marks_one_cell() -> None:
    (drawn,) = gaussian_maps(np.array([[3.9, 2.0]]), (5, 6), 0)
    assert drawn.sum() == 1 and drawn[2, 3] == 1


def test_the_background_is_where_no_joint_is() -> None:
    maps = torch.tensor([[[0.0, 0.3, 0.0]], [[0.0, 0.0, 1.0]]])
    assert add_background(maps)[0].tolist() == [[1.0, 0.0, 0.0]]


def test_a_joint_is_the_weighted_mean_of_the_largest_cells() -> None:
    maps = torch.zeros(2, 4, 5)
    maps[0, 1, 2], maps[0, 3, 4], maps[0, 0, 0] = 0.6, 0.2, 0.1
    places = mean_of_top(maps, 2)
    assert places[0] == pytest.approx([(0.6 * 2 + 0.2 * 4) / 0.8, (0.6 + 0.6) / 0.8])
    assert np.isnan(places[1]).all()
    assert mean_of_top(maps, 100)[0] == pytest.approx([2.0 / 0.9, 1.2 / 0.9])


@pytest.mark.parametrize('options', [SPA, CRW], ids=['spa_then_temp', 'crw'])
def test_joints_come_back_within_a_cell(options: dict) -> None:
    codec, plan = JointCodec(**options), resolve_size((120, 160), fixed=(96, 96))
    joints = np.array([[40.0, 30.0], [101.5, 77.2], [150.0, 110.0]])
    soft = codec.to_soft(joints, plan, (12, 12))
    assert soft.shape == (3 + options['background'], 12, 12)
    assert soft.dtype == torch.float32
    cell = np.array([160 / 12, 120 / 12])
    for found in (codec.to_joints(soft, plan), codec.first_joints(joints, soft, plan)):
        assert found.shape == (3, 2) and found.dtype == np.float64
        assert (np.abs(found - joints) <= cell).all()


def test_the_resized_first_output_is_finer_than_the_grid() -> None:
    codec, plan = JointCodec(**SPA), resolve_size((120, 160), fixed=(96, 96))
    joints = np.array([[40.0, 30.0], [101.0, 77.0]])
    soft = codec.to_soft(joints, plan, (12, 12))
    assert np.abs(codec.first_joints(joints, soft, plan) - joints).max() < 1


def test_cells_of_the_grid_become_pixels_without_a_shift() -> None:
    codec, plan = JointCodec(**CRW), resolve_size((60, 80), fixed=(64, 64))
    soft = torch.zeros(2, 8, 8)
    soft[1, 3, 2] = 1
    assert codec.to_joints(soft, plan).tolist() == [[2 * 80 / 8, 3 * 60 / 8]]


def test_padding_is_no_part_of_the_image() -> None:
    plan = resolve_size((50, 70), multiple=16, rounding='pad')
    joints = np.array([[33.0, 21.0], [60.0, 44.0]])
    for options in (SPA, CRW):
        codec = JointCodec(**options)
        found = codec.to_joints(codec.to_soft(joints, plan, (8, 10)), plan)
        assert np.abs(found - joints).max() <= 8


def test_a_joint_far_outside_is_lost() -> None:
    joints = np.array([[20.0, 20.0], [400.0, 20.0], [-3.0, 20.0]])
    for options in (SPA, CRW):
        codec = JointCodec(**options)
        soft = codec.to_soft(joints, native((40, 40)), (10, 10))
        found = codec.to_joints(soft, native((40, 40)))
        assert np.isnan(found).any(1).tolist()[:2] == [False, True]


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(draw='cell'), r"draw is 'cell'; it should be one of \('image', 'grid'\)"),
        (dict(decode='all'), "decode is 'all'; it should be one of"),
        (dict(first_output='given'), "first_output is 'given'; it should be one of"),
        (dict(background=2), 'background is 2; it should be one of'),
        (dict(sigma=-1), 'sigma is -1; it should be 0 or more'),
        (dict(sigma=math.nan), 'sigma is nan; it should be 0 or more'),
        (dict(topk=0), 'topk is 0; it should be at least 1'),
        (dict(draw='grid'), "'resized' needs draw 'image', not 'grid'"),
    ],
)
def test_options_are_checked(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        JointCodec(**{**SPA, **change})


@pytest.mark.parametrize('options', [SPA, CRW], ids=['spa_then_temp', 'crw'])
def test_the_shape_of_joints_is_checked(options: dict) -> None:
    for joints in (np.zeros((2, 15)), np.zeros((0, 2))):
        with pytest.raises(ValueError, match=r'joints are of shape .*give \(j, 2\)'):
            JointCodec(**options).to_soft(joints, native((40, 40)), (5, 5))
