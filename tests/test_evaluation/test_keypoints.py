"""PCK on arrays: the formula by hand, and what counts."""

from __future__ import annotations

import numpy as np
import pytest

from densecorr.evaluation.functional.keypoints import (
    JointCounts,
    count_joints,
    joint_boxes,
    joint_errors,
    visible_joints,
)

NAN = [np.nan, np.nan]
SQUARE = np.array([[[10.0, 10.0], [40.0, 10.0], [10.0, 50.0], [200.0, 300.0]]])


def test_an_error_is_a_distance_in_sizes_of_the_visible_person():
    pred = SQUARE.copy()
    pred[0, 0] += [3.0, 4.0]
    pred[0, 3] = NAN  # lost: the box is that of the other three, 30 x 40
    errors = joint_errors(pred, SQUARE)[0]
    assert errors[:3] == pytest.approx([5 / (0.6 * 50), 0, 0])
    assert np.isnan(errors[3])
    assert joint_errors(pred, SQUARE, box_ratio=0.2)[0, 0] == pytest.approx(0.5)


def test_lost_joints_are_left_out_or_wrong():
    pred = SQUARE.copy()
    pred[0, 3] = NAN
    left_out = count_joints(joint_errors(pred, SQUARE), [0.1])
    wrong = count_joints(joint_errors(pred, SQUARE, lost='wrong'), [0.1])
    assert left_out.counted.tolist() == [1, 1, 1, 0]
    assert wrong.counted.tolist() == [1, 1, 1, 1]
    assert left_out.pck().tolist() == [1.0]
    assert wrong.pck().tolist() == [0.75]


def test_a_joint_at_the_left_border_is_lost_for_one_of_the_two():
    pred = np.array([[0.0, 3.0], [0.5, 3.0], NAN, [-1.0, 3.0]])
    assert visible_joints(pred).tolist() == [False, True, False, False]
    assert visible_joints(pred, zero_is_lost=False).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_no_box_no_correct_joint():
    one, none = SQUARE.copy(), SQUARE.copy()
    one[0, 1:], none[:] = np.nan, np.nan
    everyone = np.ones((1, 4), bool)
    assert joint_boxes(SQUARE, everyone) == pytest.approx(0.6 * np.hypot(190, 290))
    assert np.isnan(joint_boxes(SQUARE, ~everyone)).all()
    errors = joint_errors(one, SQUARE)[0]  # the box of one joint is a point
    assert errors[0] == np.inf and np.isnan(errors[1:]).all()
    assert np.isnan(joint_errors(none, SQUARE)).all()
    assert (joint_errors(none, SQUARE, lost='wrong') == np.inf).all()


def test_pck_is_the_mean_over_joints_of_all_frames_of_all_videos():
    one = JointCounts(np.array([[1, 3, 0]]), np.array([1, 4, 0]))
    other = JointCounts(np.array([[0, 1, 0]]), np.array([3, 0, 0]))
    total = one + other
    assert total.per_joint()[0, :2].tolist() == [0.25, 1.0]
    assert np.isnan(total.per_joint()[0, 2])  # never visible: left out of the mean
    assert total.pck().tolist() == [0.625]
    assert JointCounts(np.zeros((2, 3), int), np.zeros(3, int)).pck().tolist() == [0, 0]


def test_pck_does_not_know_units_and_grows_with_the_threshold():
    rng = np.random.default_rng(0)
    target = rng.uniform(20, 200, (6, 15, 2))
    pred = target + rng.normal(0, 15, target.shape)
    pred[rng.random((6, 15)) < 0.1] = np.nan
    limits = [0.1, 0.2, 0.3, 0.4, 0.5]
    pck = count_joints(joint_errors(pred, target), limits).pck()
    assert (np.diff(pck) >= 0).all() and 0 < pck[0] < pck[-1] <= 1
    scaled = count_joints(joint_errors(3 * pred, 3 * target), limits).pck()
    assert scaled.tolist() == pck.tolist()


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match=r'pred of shape \(1, 3, 2\) and target of sh'):
        joint_errors(SQUARE[:, :3], SQUARE)
    with pytest.raises(ValueError, match=r'should both be \(t, j, 2\)'):
        joint_errors(SQUARE[0], SQUARE[0])
    with pytest.raises(ValueError, match=r'true joint 2 of frame 0 is \[nan'):
        target = SQUARE.copy()
        target[0, 2, 0] = np.nan
        joint_errors(SQUARE, target)
    with pytest.raises(ValueError, match="lost is 'right'; it should be one of"):
        joint_errors(SQUARE, SQUARE, lost='right')
    with pytest.raises(ValueError, match='box_ratio is 0; it should be above 0'):
        joint_errors(SQUARE, SQUARE, box_ratio=0)
