"""Foreground of clusters: by hand, by properties, error texts."""

from __future__ import annotations

import numpy as np
import pytest

from densecorr.evaluation.functional.foreground import (
    cluster_precision,
    clusters_above,
    contour_f,
    contour_points,
    jaccard,
    search_cut,
)


def test_precision_by_hand() -> None:
    clusters = np.array([[[0, 0], [1, 1]], [[0, 2], [2, 2]]])
    attended = np.array([[[1, 0], [1, 1]], [[1, 0], [0, 1]]])
    # cluster 0: half of image 0, all of image 1; cluster 3 occurs nowhere
    precisions = cluster_precision(clusters, attended, 4)
    np.testing.assert_allclose(precisions, [0.75, 1, 1 / 3, 0])
    found = clusters_above(clusters, precisions, 0.75)
    assert found.tolist() == [
        [[True, True], [True, True]],
        [[True, False], [False, False]],
    ]


def test_jaccard_by_hand() -> None:
    pred = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]]])
    target = np.array([[[1, 255, 2, 0]], [[0, 0, 0, 0]]])
    np.testing.assert_allclose(jaccard(pred, target), [2 / 3, np.nan])
    np.testing.assert_allclose(jaccard(pred, target, False), [1 / 3, np.nan])


def test_the_best_cut_is_found() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 20, (5, 16, 16))
    precisions = rng.permutation(20) / 20
    target = np.where(precisions[clusters] >= 13 / 20, 7, 0)  # cut at rank 13
    found = search_cut(clusters, target, precisions)
    assert found.starts.tolist() == [11, 12, 13, 14]
    assert found.jaccards.argmax() == 2 and found.jaccards[2] == 1
    assert found.threshold == 0.65
    assert (clusters_above(clusters, precisions, 0.65) == (target > 0)).all()


def test_contours() -> None:
    square = np.zeros((20, 20), bool)
    square[5:15, 5:15] = True
    assert len(contour_points(square)) == 36
    assert contour_f(square, square * 3, 1) == 1
    shifted = np.roll(square, 3, axis=1)
    assert contour_f(shifted, square, 4) == 1  # the distance is exclusive
    assert contour_f(shifted, square, 3) < 1
    # the background has the edge of the image as contour, too
    assert contour_f(square, square, 2, 'background') < 1
    assert contour_f(~square, square, 2, 'background') == 1
    assert contour_f(np.zeros_like(square), square) == 0
    assert np.isnan(contour_f(square, np.zeros_like(square)))
    assert contour_f(square[:2, :2] | True, square[:2, :2] | True) == 1


def test_errors() -> None:
    ones = np.ones((1, 2, 2), int)
    with pytest.raises(ValueError, match=r'clusters are 1 to 1; 1 clusters are 0 to 0'):
        cluster_precision(ones, ones, 1)
    with pytest.raises(ValueError, match=r'clusters is \(1, 2, 2\), the attention'):
        cluster_precision(ones, ones[:, :1], 2)
    with pytest.raises(ValueError, match=r'prediction is .* annotation \(1, 1, 2\)'):
        jaccard(ones, ones[:, :1])
    with pytest.raises(ValueError, match=r'3 clusters have no rank between 0.55 and'):
        search_cut(ones, ones, np.zeros(3), cuts=(0.55, 0.6))
    with pytest.raises(ValueError, match="contour is 'inner'; it should be one of"):
        contour_f(ones[0], ones[0], contour='inner')
