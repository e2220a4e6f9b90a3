"""Clusters against classes: the table against loops, rules by hand, error texts."""

from __future__ import annotations

import numpy as np
import pytest

from densecorr.evaluation.functional.cluster_matching import (
    Contingency,
    add_tables,
    cluster_scores,
    contingency,
    fixed_contingency,
    match_clusters,
    matched_scores,
    pair_iou,
    relabel,
    unit_scores,
)


def _maps(seed: int, size: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    target = rng.choice([0, 2, 5, 9, 255], size)
    pred = np.where(rng.random(size) < 0.6, target * 3, rng.integers(0, 40, size))
    return pred, target


def _table(counts: list[list[int]], classes: list[int]) -> Contingency:
    array = np.array(counts)
    return Contingency(array, np.array(classes), np.arange(array.shape[1]))


def test_table_counts_what_masks_count() -> None:
    pred, target = _maps(0)
    table = contingency(pred, target, void=255)
    assert table.classes.tolist() == [0, 2, 5, 9]
    kept = pred[target != 255]
    np.testing.assert_array_equal(table.clusters, np.unique(kept))
    for row, label in enumerate(table.classes):
        for column, cluster in enumerate(table.clusters):
            inside = (target == label) & (pred == cluster)
            assert table.counts[row, column] == inside.sum()
            union = ((target == label) | (pred == cluster)) & (target != 255)
            assert pair_iou(table.counts)[row, column] == inside.sum() / union.sum()


def test_labels_far_apart_give_the_same_table() -> None:
    pred, target = _maps(1)
    near, far = contingency(pred, target), contingency(pred * 10**8, target * 10**6)
    np.testing.assert_array_equal(near.counts, far.counts)
    np.testing.assert_array_equal(near.clusters * 10**8, far.clusters)
    np.testing.assert_array_equal(near.classes * 10**6, far.classes)


def test_tables_of_parts_add_up() -> None:
    pred, target = _maps(2)
    parts = [contingency(pred[i : i + 7], target[i : i + 7]) for i in range(0, 4000, 7)]
    added, whole = add_tables(parts), contingency(pred, target)
    for left, right in zip(added, whole, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize('rule', ['hungarian', 'many_to_one', 'many_to_one_precision'])
def test_renaming_the_clusters_changes_no_score(rule: str) -> None:
    pred, target = _maps(3)
    names = np.random.default_rng(4).permutation(pred.max() + 1)
    scores = [cluster_scores(p, target, rule, void=255) for p in (pred, names[pred])]
    assert scores[0].miou == scores[1].miou
    np.testing.assert_array_equal(scores[0].tp, scores[1].tp)


def test_scores_are_those_of_the_relabelled_map() -> None:
    pred, target = _maps(5)
    table = contingency(pred, target)
    matched = match_clusters(table, 'many_to_one')
    scores, labels = matched_scores(table, matched), relabel(pred, table, matched)
    for k, label in enumerate(scores.classes):
        hit = (labels == label) & (target == label)
        union = (labels == label) | (target == label)
        assert scores.iou[k] == hit.sum() / union.sum()


def test_rules_by_hand() -> None:
    # cluster 0: 30 of class 1, 20 of class 2; cluster 1: 9 of class 1, 8 of class 2;
    # cluster 2: one pixel of class 1, as many of class 2
    table = _table([[30, 9, 1], [20, 8, 1]], classes=[1, 2])
    # one to one: 30/60 + 8/38 beats 20/59 + 9/48; cluster 2 is left over
    assert match_clusters(table, 'hungarian').tolist() == [1, 2, 0]
    # IoU of cluster 1: 9/48 with class 1, 8/38 with class 2
    assert match_clusters(table, 'many_to_one').tolist() == [1, 2, 2]
    assert match_clusters(table, 'many_to_one_precision').tolist() == [1, 1, 1]
    assert match_clusters(table, 'linear_probe').tolist() == [0, 1, 2]
    scores = matched_scores(table, np.array([1, 2, 0]))
    np.testing.assert_allclose(scores.iou, [30 / 60, 8 / 38])


def test_background_alone() -> None:
    zeros = np.zeros(9, np.uint8)
    assert cluster_scores(zeros, zeros).miou == 1
    assert cluster_scores(zeros, zeros, background=False).miou == 0


def test_an_absent_class_counts_only_in_the_fixed_table() -> None:
    labels = np.array([0, 0, 1, 1])
    assert cluster_scores(labels, labels).miou == 1
    table = fixed_contingency(labels, labels, num_classes=4, num_clusters=4)
    assert matched_scores(table, match_clusters(table, 'many_to_one')).miou == 0.5


def test_units() -> None:
    # clusters change their names from frame to frame
    frames = [np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0])]
    target = np.array([0, 0, 1, 1])
    tables = [[contingency(pred, target) for pred in frames]]
    assert unit_scores(tables, 'frame').tolist() == [1, 1]
    assert unit_scores(tables, 'clip').tolist() == [pytest.approx(1 / 3)]
    twice = tables * 2
    assert unit_scores(twice, 'clip').shape == (2,)
    assert unit_scores(twice, 'dataset').shape == (1,)


def test_nothing_but_void() -> None:
    table = contingency(np.zeros(3, int), np.full(3, 255), void=255)
    assert table.counts.shape == (0, 0)
    assert matched_scores(table, match_clusters(table)).miou == 0
    assert relabel(np.array([4]), table, match_clusters(table)).tolist() == [0]


def test_errors() -> None:
    ones = np.ones(3, int)
    with pytest.raises(ValueError, match=r'rule is .munkres.; it should be one of'):
        cluster_scores(ones, ones, rule='munkres')
    with pytest.raises(ValueError, match=r'unit is .video.; it should be one of'):
        unit_scores([[contingency(ones, ones)]], unit='video')
    with pytest.raises(ValueError, match='there is no frame to score'):
        unit_scores([[]])
    with pytest.raises(ValueError, match=r'is \(2,\), the annotation \(3,\). Enlarge'):
        contingency(ones[:2], ones)
    with pytest.raises(TypeError, match='prediction is of float64; labels are'):
        contingency(ones * 0.5, ones)
    with pytest.raises(ValueError, match=r'annotation has labels \[1\].*num_classes'):
        fixed_contingency(ones, ones, 1, 2)
    with pytest.raises(ValueError, match=r'prediction has labels \[1\].*num_clusters'):
        fixed_contingency(ones, ones, 2, 1)
