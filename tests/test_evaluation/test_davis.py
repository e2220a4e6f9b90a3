import numpy as np
import pytest

from densecorr.evaluation.functional.davis import (
    GLOBAL_NAMES,
    frame_scores,
    match_objects,
    pair_scores,
    summarize,
)

from . import literal


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('bound_th', [0.008, 0.06, 5])
def test_every_object_is_scored_as_alone(seed, bound_th):
    rng = np.random.default_rng(seed)
    ids = (1, 2, 7, 255)
    pred, target = literal.random_labels(rng, ids=ids)
    ids = (*ids, 9)  # 9 is in neither map
    region, boundary = frame_scores(pred, target, ids, bound_th=bound_th)
    for k, label in enumerate(ids):
        a, b = pred == label, target == label
        assert region[k] == literal.jaccard(a, b)
        assert boundary[k] == literal.boundary(a, b, bound_th)


def test_pairs_contain_the_frame_scores():
    pred, target = literal.random_labels(np.random.default_rng(3))
    region, boundary = frame_scores(pred, target, (1, 2, 3))
    pairs_j, pairs_f = pair_scores(pred, target, (1, 2, 3, 4), (1, 2, 3))
    assert pairs_j.shape == pairs_f.shape == (4, 3)
    np.testing.assert_array_equal(np.diag(pairs_j), region)
    np.testing.assert_array_equal(np.diag(pairs_f), boundary)
    assert pairs_j[0, 1] == literal.jaccard(pred == 1, target == 2)
    assert pairs_f[2, 0] == literal.boundary(pred == 3, target == 1)


def test_void_belongs_to_no_object():
    rng = np.random.default_rng(0)
    pred, target = literal.random_labels(rng, ids=(1, 2))
    void = rng.random(pred.shape) < 0.1
    clear = ~void
    for function in (
        lambda *a, **k: frame_scores(*a, (1, 2), **k),
        lambda *a, **k: pair_scores(*a, (1, 2), (1, 2), **k),
    ):
        for with_void, without in zip(
            function(pred, target, void=void),
            function(pred * clear, target * clear),
            strict=True,
        ):
            np.testing.assert_array_equal(with_void, without)


def test_identical_and_empty_maps_score_one():
    _, target = literal.random_labels(np.random.default_rng(1))
    for label_map in (target, np.zeros_like(target)):
        for scores in frame_scores(label_map, label_map, (1, 2, 3)):
            assert scores.tolist() == [1, 1, 1]


def test_flips_move_boundaries_but_not_regions():
    pred, target = literal.random_labels(np.random.default_rng(4))
    region, _ = frame_scores(pred, target, (1, 2, 3))
    flipped, _ = frame_scores(pred[:, ::-1], target[:, ::-1], (1, 2, 3))
    np.testing.assert_array_equal(region, flipped)


def test_inputs_are_left_alone_and_any_integer_type_will_do():
    pred, target = literal.random_labels(np.random.default_rng(5))
    copies = pred.copy(), target.copy()
    expected = frame_scores(pred, target, (1, 2, 3), void=target == 2)
    wide = frame_scores(pred.astype(np.int64), target.astype(np.int32), (1, 2, 3),
                        void=target == 2)  # fmt: skip
    np.testing.assert_array_equal(expected, wide)
    np.testing.assert_array_equal(copies, (pred, target))


def test_maps_of_different_size():
    with pytest.raises(ValueError, match=r'\(4, 5\), \(5, 4\).*size of the annotation'):
        frame_scores(np.zeros((4, 5), int), np.zeros((5, 4), int), [1])
    with pytest.raises(ValueError, match=r'\(4, 5\), \(4, 5\), \(2, 2\)'):
        pair_scores(
            np.zeros((4, 5), int), np.zeros((4, 5), int), [1], [1], np.zeros((2, 2))
        )


def test_matching_finds_a_permutation_and_keeps_the_proposals_order():
    rng = np.random.default_rng(0)
    order = rng.permutation(4)
    scores = 0.1 * rng.random((6, 4, 10))
    scores[1 + np.arange(4), order] += 0.8
    proposals, objects = match_objects(scores, scores)
    assert proposals.tolist() == [1, 2, 3, 4]
    assert objects.tolist() == order.tolist()


def test_matching_weighs_all_measures():
    region = np.array([[[0.9], [0.5]], [[0.8], [0.6]]])
    boundary = np.array([[[0.1], [0.9]], [[0.9], [0.1]]])
    assert match_objects(region)[1].tolist() == [0, 1]
    assert match_objects(region, boundary)[1].tolist() == [1, 0]
    with pytest.raises(ValueError, match=r'frames\) arrays, not \[\(2, 2\)\]'):
        match_objects(region[..., 0])


def test_summary_averages_over_objects():
    region = [np.full(5, 1.0), np.full(9, 0.4)]
    boundary = [np.full(5, 0.6), np.linspace(1, 0, 9)]
    summary = summarize(region, boundary)
    assert tuple(summary) == GLOBAL_NAMES
    assert list(summary.values()) == pytest.approx(
        [(0.7 + 0.55) / 2, 0.7, 0.5, 0, 0.55, (1 + 4 / 9) / 2, 0.75 / 2]
    )


def test_nothing_to_summarize():
    with pytest.raises(ValueError, match=r'0 series of J and 0 of F.*one object'):
        summarize([], [])
