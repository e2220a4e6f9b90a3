"""ForegroundMetric: clusters where attention is, at every size; what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densecorr.evaluation.functional.foreground import (
    cluster_precision,
    contour_f,
    jaccard,
    search_cut,
)
from densecorr.evaluation.metrics.foreground import ForegroundMetric, _enlarged
from densecorr.ops.points import MapPoints

from .labelled import labelled, two_parts

QUICK = dict(iterations=10, restarts=2, init='kmeans++')
MASK = dict(mass=0.99, sigma=0, min_cells=1)
GRID = 8


def _metric(**options: Any) -> ForegroundMetric:
    defaults: dict[str, Any] = dict(
        clusters=dict(num_clusters=8, dim=4, kmeans=QUICK),
        sizes=dict(points=16),
        mask=MASK,
        boundary=dict(distance=3),
        pictures=1,
    )
    metric = ForegroundMetric(**{**defaults, **options})
    metric.dataset_meta = dict(classes=['background', 'cat', 'dog'])
    return metric


def _set() -> tuple[list, np.ndarray, np.ndarray]:
    """Images, features of class and place, attention on what is no background."""
    rng = np.random.default_rng(0)
    images = two_parts(rng, (8, 6))
    labels = np.stack([image.read_labels().indices[::2, ::2] for image in images])
    maps = 3 * np.eye(4)[labels] + 0.1 * rng.standard_normal((*labels.shape, 4))
    seen = (labels != 0) + 0.001
    attention = np.stack([seen, seen], axis=-1)
    return images, maps.astype(np.float16), attention.astype(np.float16)


def _run(metric: ForegroundMetric, images: Any, *maps: np.ndarray) -> list[dict]:
    found = [metric.run(job, images, *maps) for job in metric.jobs(images)]
    return json.loads(json.dumps(found))


def test_attended_clusters_are_the_foreground(tmp_path: Path) -> None:
    metric = _metric(seeds=(1, 2), cut=dict(cuts=(0.1, 0.9)))
    metric.out_dir = str(tmp_path)
    results = _run(metric, *_set())
    found = metric.compute_metrics(results)
    assert found['jaccard'] > 0.8
    assert found['boundary-f'] > 0.9
    assert set(found) == {
        *('jaccard', 'boundary-f', 'jaccard-deviation', 'boundary-f-deviation')
    }
    assert 0 < results[0]['threshold'] <= 1
    assert [row[0] for row in results[0]['cuts']] == list(range(7))
    texts = metric.tables(results)
    assert len(texts['foreground.csv'].splitlines()) == 3
    assert len(texts['cuts.csv'].splitlines()) == 1 + 2 * 7
    assert len(texts['per_image.csv'].splitlines()) == 1 + 6
    assert len(list(tmp_path.rglob('predictions/foreground/test/*.png'))) == 2
    images, maps, attention = _set()
    reversed_ = _metric(cut=dict(cuts=(0.1, 0.9)))
    other = _run(reversed_, images, maps, np.float16(1.002) - attention)
    assert reversed_.compute_metrics(other)['jaccard'] < found['jaccard'] - 0.3


def test_a_given_threshold_needs_no_labels_to_learn_from() -> None:
    images, maps, attention = _set()
    metric = _metric(cut=dict(threshold=0.5))
    (alone,) = _run(metric, images[8:], maps[8:], attention[8:])
    assert alone['threshold'] == 0.5 and alone['cuts'] == []
    (both,) = _run(metric, images, maps, attention)
    assert both == alone
    with pytest.raises(ValueError, match=r"no images of part 'train'"):
        _run(_metric(), images[8:], maps[8:], attention[8:])


def test_scores_are_those_of_the_measures() -> None:
    images, maps, attention = _set()
    metric = _metric(cut=dict(threshold=0.5), boundary=dict(contour='background'))
    (result,) = _run(metric, images, maps, attention)
    found = metric._clustered(1, maps, attention, np.arange(8, 14))
    big = _enlarged(found.clusters, (16, 16))
    precisions = cluster_precision(big, _enlarged(found.attended, (16, 16)), 8)
    for row, image, clusters in zip(result['images'], images[8:], big, strict=True):
        labels = image.read_labels().indices
        pred = (precisions >= 0.5)[clusters]
        assert row[2] == jaccard(pred[None], labels[None])[0]
        assert row[3] == contour_f(pred, labels, 16, 'background')


def test_nearest_cells_are_those_of_points() -> None:
    cells = np.arange(2 * 5 * 7).reshape(2, 5, 7)
    for size in ((11, 9), (5, 7), (3, 20)):
        points = MapPoints(cells[..., None].astype(np.float32), size, 'nearest')
        expected = next(points.pieces(10**6)).reshape(2, *size).numpy()
        np.testing.assert_array_equal(_enlarged(cells, size), expected)


@pytest.mark.parametrize('mask', ['attention', 'foreground'])
def test_clusters_of_masked_features(mask: str) -> None:
    sizes = dict(points=8, labels=8)
    within = dict(mask=mask, num_clusters=['classes'], sizes=sizes, kmeans=QUICK)
    within['projection'] = dict(dim=None)
    metric = _metric(within=within, cut=dict(cuts=(0.1, 0.9)))
    results = _run(metric, *_set())
    found = metric.compute_metrics(results)
    assert found['masked-dataset-classes'] > 0.9
    texts = metric.tables(results)
    assert texts['clusters.csv'].startswith('Unit,K,Rule')
    assert 'cat' in texts['per_class.csv']


def test_cuts_are_scored_one_by_one_or_all_at_once() -> None:
    rng = np.random.default_rng(0)
    clusters, labels = rng.integers(0, 20, (3, 9, 9)), rng.integers(0, 2, (3, 9, 9))
    precisions = rng.random(20)
    found = search_cut(clusters, labels, precisions, (0.1, 0.9))
    order = np.argsort(precisions)
    for start, score in zip(found.starts, found.jaccards, strict=True):
        pred = np.isin(clusters, order[start:])
        assert score == pytest.approx(jaccard(pred, labels).mean(), abs=1e-12)
    with pytest.raises(ValueError, match=r'no image has foreground, neither annotated'):
        empty = np.zeros((1, 4, 4), np.int64)
        search_cut(empty, empty, np.arange(20.0), (0.1, 0.9))


def test_errors() -> None:
    images, maps, attention = _set()
    many = _metric(clusters=dict(num_clusters=9000, dim=None))
    with pytest.raises(ValueError, match=r'is 9000, the 8 images .* have 512 features'):
        _run(many, images, maps, attention)
    few = _metric(clusters=dict(num_clusters=2, dim=None))
    with pytest.raises(ValueError, match=r'2 clusters have no rank.*Take more cluste'):
        _run(few, images, maps, attention)
    with pytest.raises(ValueError, match=r"no images of part 'test'.*TrainAndTest"):
        _run(_metric(), images[:8], maps[:8], attention[:8])
    with pytest.raises(ValueError, match=r"clusters has \['dim', 'k', 'kmeans', 'num"):
        _metric(clusters=dict(k=3))
    with pytest.raises(ValueError, match=r"boundary has contour='sky'; choose of"):
        _metric(boundary=dict(contour='sky'))
    with pytest.raises(ValueError, match=r'within has mask=None; choose of'):
        _metric(within=dict(num_clusters=[3]))
    nothing = [labelled(i.name, np.zeros((16, 16), np.uint8), i.part) for i in images]
    metric = _metric(cut=dict(threshold=2.0))
    (result,) = _run(metric, nothing, maps, attention)
    assert {tuple(row[2:]) for row in result['images']} == {(None, None)}
    assert np.isnan(metric.compute_metrics([result])['jaccard'])
