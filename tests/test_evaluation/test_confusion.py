import numpy as np
import pytest

from densecorr.evaluation.functional.confusion import (
    class_areas,
    confusion_histogram,
    confusion_scores,
    histogram_areas,
    nearest_to_size,
    percent_summary,
)

TARGET = np.array([[0, 0, 1, 1], [2, 2, 255, 1]], np.uint8)
PRED = np.array([[0, 1, 1, 1], [2, 0, 2, 0]], np.uint8)


def scores_of(pred, target, classes):
    return confusion_scores(histogram_areas(confusion_histogram(pred, target, classes)))


def random_maps(seed, classes=5, size=(9, 11)):
    rng = np.random.default_rng(seed)
    pred, target = rng.integers(0, classes, (2, *size)).astype(np.uint8)
    target[rng.random(size) < 0.1] = 255
    return pred, target


def test_hand_counted():
    histogram = confusion_histogram(PRED, TARGET, 4)
    assert histogram.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [1, 0, 1, 0], [0] * 4]
    assert histogram.dtype == np.int64
    scores = scores_of(PRED, TARGET, 4)
    np.testing.assert_allclose(scores.iou, [1 / 4, 2 / 4, 1 / 2, np.nan])
    np.testing.assert_allclose(scores.accuracy, [1 / 2, 2 / 3, 1 / 2, np.nan])
    assert scores.mean_iou == pytest.approx(5 / 12)
    assert scores.mean_accuracy == pytest.approx(5 / 9)
    assert scores.overall_accuracy == pytest.approx(4 / 7)
    weighted = (2 * 1 / 4 + 3 * 1 / 2 + 2 * 1 / 2) / 7
    assert scores.frequency_weighted_iou == pytest.approx(weighted)
    assert percent_summary(scores) == (57.14, 55.56, 41.67)


def test_a_class_that_is_only_predicted_counts_as_0():
    scores = scores_of(np.array([0, 3]), np.array([0, 0]), 4)
    np.testing.assert_array_equal(scores.iou, [0.5, np.nan, np.nan, 0])
    np.testing.assert_array_equal(scores.accuracy, [0.5, np.nan, np.nan, np.nan])
    assert scores.mean_iou == 0.25 and scores.mean_accuracy == 0.5


@pytest.mark.parametrize('seed', range(3))
def test_equals_the_definition_and_adds_up(seed):
    pairs = [random_maps(10 * seed + k) for k in range(3)]
    total = sum(confusion_histogram(pred, target, 5) for pred, target in pairs)
    pred, target = (np.stack(maps) for maps in zip(*pairs, strict=True))
    np.testing.assert_array_equal(total, confusion_histogram(pred, target, 5))
    scores = confusion_scores(histogram_areas(total))
    valid = target != 255
    for label in range(5):
        one, two = (pred == label) & valid, target == label
        assert scores.iou[label] == (one & two).sum() / (one | two).sum()
        assert scores.accuracy[label] == (one & two).sum() / two.sum()
    order = np.random.default_rng(seed).permutation(5)
    table = np.append(order, np.full(251, 255)).astype(np.uint8)
    renamed = scores_of(table[pred], table[target], 5)
    np.testing.assert_array_equal(renamed.iou[order], scores.iou)
    assert renamed.mean_iou == pytest.approx(scores.mean_iou)


def test_equal_maps_score_1_and_void_alone_nothing():
    _, target = random_maps(0)
    pred = np.where(target == 255, 0, target)
    scores = scores_of(pred, target, 5)
    assert scores.mean_iou == scores.mean_accuracy == scores.overall_accuracy == 1
    nothing = scores_of(pred, np.full_like(target, 255), 5)
    assert np.isnan([*nothing.iou, nothing.mean_iou, nothing.overall_accuracy]).all()
    assert np.isnan(nothing.frequency_weighted_iou)


def test_labels_above_the_classes():
    pred, target = np.array([0, 1, 1, 1]), np.array([0, 1, 2, 7])
    with pytest.raises(ValueError, match=r'annotation has labels \[2, 7\]; .* 0 to 1'):
        confusion_histogram(pred, target, 2)
    ignored = confusion_histogram(pred, target, 2, above='ignore')
    assert ignored.tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match=r'prediction has labels \[1\]; .* 0 to 0'):
        confusion_histogram(pred + 1, target, 1, above='ignore')
    with pytest.raises(ValueError, match=r'prediction has labels \[-1\]'):
        confusion_histogram(-pred[1:2], target[:1], 2)
    void = confusion_histogram(np.array([0]), np.array([1]), 2, void=None)
    assert void.tolist() == [[0, 0], [1, 0]]


def test_label_above_the_last_class_may_count_as_it():
    pred, target = np.array([2, 2, 1, 0, 1]), np.array([2, 1, 2, 0, 1])
    areas = class_areas(pred, target, 2, closed_last=True)
    # 2 and 2 is a hit, 2 and 1 is none, though both count as class 1
    assert [area.tolist() for area in areas] == [[1, 2], [1, 4], [1, 4]]
    with pytest.raises(ValueError, match=r'labels \[3\]; classes are 0 to 2'):
        class_areas(pred + 1, target, 2, closed_last=True)
    plain = class_areas(pred % 2, target % 2, 2)
    assert [area.tolist() for area in plain] == [[2, 1], [3, 2], [3, 2]]


def test_nearest_takes_the_pixel_at_the_centre():
    label_map = np.arange(12, dtype=np.uint8).reshape(3, 4)
    rows = [int(np.floor((i + 0.5) * 3 / 5)) for i in range(5)]
    columns = [int(np.floor((j + 0.5) * 4 / 2)) for j in range(2)]
    expected = label_map[rows][:, columns]
    np.testing.assert_array_equal(nearest_to_size(label_map, (5, 2)), expected)
    np.testing.assert_array_equal(nearest_to_size(label_map, (3, 4)), label_map)
    with pytest.raises(ValueError, match=r'cannot resize \(3, 4\) to \(0, 2\)'):
        nearest_to_size(label_map, (0, 2))


def test_other_errors_are_named():
    with pytest.raises(ValueError, match=r'prediction is \(2, 4\), .* \(2, 3\)'):
        confusion_histogram(PRED, TARGET[:, :3], 4)
    with pytest.raises(ValueError, match=r"above should be .*, not 'last'"):
        confusion_histogram(PRED, TARGET, 4, above='last')
    with pytest.raises(ValueError, match=r'A histogram is .* not \(3, 2\)'):
        histogram_areas(np.zeros((3, 2)))
