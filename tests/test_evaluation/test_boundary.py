import numpy as np
import pytest

from densecorr.evaluation.functional.boundary import (
    boundary_accuracy,
    boundary_f,
    boundary_map,
    boundary_tolerance,
    dilate_map,
    disk,
)

from . import literal


def test_boundary_of_a_pixel_and_of_the_corners():
    region = np.zeros((4, 5), np.uint8)
    region[2, 2] = 1
    edge = boundary_map(region)
    assert edge.dtype == bool
    assert sorted(map(tuple, np.argwhere(edge).tolist())) == [
        (1, 1), (1, 2), (2, 1), (2, 2),
    ]  # fmt: skip
    last = np.zeros((4, 5), bool)
    last[3, 4] = True
    assert not boundary_map(last)[3, 4] and boundary_map(last).sum() == 3
    assert not boundary_map(np.ones((4, 5), bool)).any()


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (9, 1), (2, 2), (23, 31), (0, 4)])
def test_boundary_map_is_the_formula(shape):
    region = np.random.default_rng(0).random(shape) < 0.5
    expected = literal.edges(region) if region.size else region
    np.testing.assert_array_equal(boundary_map(region), expected)
    np.testing.assert_array_equal(boundary_map(~region), expected)


@pytest.mark.parametrize('radius', [1, 3, 8])
def test_dilate_map_is_the_euclidean_distance(radius):
    plane = np.random.default_rng(radius).random((29, 41)) < 0.01
    np.testing.assert_array_equal(
        dilate_map(plane, radius), literal.within(plane, radius)
    )


def test_nothing_enters_across_an_edge():
    plane = np.zeros((6, 6), bool)
    plane[2, 5] = True
    assert not dilate_map(plane, 3)[:, :2].any()


def test_disk():
    assert disk(1).tolist() == [
        [False, True, False], [True, True, True], [False, True, False],
    ]  # fmt: skip
    assert disk(8).sum() == 197


def test_tolerance():
    sizes = {(480, 854): 8, (480, 910): 9, (480, 1152): 10, (1080, 1920): 18}
    assert {size: boundary_tolerance(size) for size in sizes} == sizes
    assert boundary_tolerance((480, 854), 3.0) == 3
    for wrong in (0, -1, 2.5):
        with pytest.raises(ValueError, match=rf'bound_th .*not {wrong}\..*0\.008'):
            boundary_tolerance((480, 854), wrong)


def test_f_from_counts():
    assert boundary_f(4, 8, 2, 4) == 0.5
    assert boundary_f(0, 0, 0, 0) == 1
    assert boundary_f(0, 3, 0, 0) == boundary_f(3, 0, 0, 0) == 0
    assert boundary_f(3, 3, 0, 0) == 0


def test_accuracy_of_a_shifted_square():
    target = np.zeros((100, 100), bool)
    target[20:60, 20:60] = True
    assert boundary_accuracy(target, target) == 1
    assert boundary_accuracy(np.roll(target, 2, 1), target, bound_th=2) == 1
    far = boundary_accuracy(np.roll(target, 3, 1), target, bound_th=2)
    assert 0.5 < far < 1
    assert boundary_accuracy(~target, target) == 1  # the same contour


@pytest.mark.parametrize('bound_th', [0.008, 0.05, 4])
def test_accuracy_is_the_formula(bound_th):
    rng = np.random.default_rng(0)
    for _ in range(10):
        pred, target = (m > 0 for m in literal.random_labels(rng))
        void = rng.random(pred.shape) < 0.05
        expected = literal.boundary(pred, target, bound_th)
        assert boundary_accuracy(pred, target, bound_th=bound_th) == expected
        expected = literal.boundary(pred & ~void, target & ~void, bound_th)
        assert boundary_accuracy(pred, target, void, bound_th) == expected


def test_inputs_must_be_planes_of_one_shape():
    with pytest.raises(ValueError, match=r'\(2, 3\) and target of shape \(3, 2\)'):
        boundary_accuracy(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r'\(H, W\) array, not of shape \(1, 2, 3\)'):
        boundary_map(np.zeros((1, 2, 3)))
