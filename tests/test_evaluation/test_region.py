import numpy as np
import pytest

from densecorr.evaluation.functional.region import region_similarity


def test_by_hand():
    pred = np.array([[1, 1, 0], [0, 0, 0]])
    target = np.array([[0, 1, 1], [0, 0, 0]])
    assert region_similarity(pred, target) == pytest.approx(1 / 3)
    void = np.array([[1, 0, 0], [0, 0, 0]])
    assert region_similarity(pred, target, void) == pytest.approx(1 / 2)


def test_empty_union_is_one_and_frames_are_independent():
    empty, full = np.zeros((4, 5), bool), np.ones((4, 5), bool)
    series = region_similarity(np.stack([empty, full, full]), [empty, empty, full])
    assert series.tolist() == [1, 0, 1]
    assert region_similarity(full, empty, full) == 1


def test_symmetric_and_flip_invariant():
    pred, target = np.random.default_rng(0).random((2, 6, 9, 7)) < 0.4
    scores = region_similarity(pred, target)
    np.testing.assert_array_equal(scores, region_similarity(target, pred))
    flipped = region_similarity(pred[..., ::-1], target[..., ::-1])
    np.testing.assert_array_equal(scores, flipped)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r'\(2, 3\) and target of shape \(3, 2\)'):
        region_similarity(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r'void of shape \(2, 2\)'):
        region_similarity(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 2)))
