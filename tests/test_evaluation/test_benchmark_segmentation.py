"""The benchmark of clustering: both sides agree; what it reports."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from densecorr.apis.benchmarks import segmentation
from densecorr.evaluation.functional.cluster_matching import cluster_scores

SMALL = '--pixels 3000 --classes 4 --clusters 6 --points 400 --dim 8 --centers 10'
INSTALLED = importlib.util.find_spec('faiss') is not None


def test_masks_and_table_agree() -> None:
    for clusters in (3, 21, 60):
        found = segmentation.compare_scores(5000, 21, clusters, pairs=1)
        assert found['difference'] < 1e-12
    pred, target = torch.randint(0, 7, (2, 500)).numpy()
    expected = segmentation.literal_miou(pred, target)
    assert cluster_scores(pred, target).miou == pytest.approx(expected)


@pytest.mark.skipif(not INSTALLED, reason='faiss-cpu is not installed')
def test_inertia_is_that_of_faiss() -> None:
    import faiss

    points = segmentation.make_points(4000, 16)
    found = segmentation.compare_kmeans(points, 50, 20, 1, faiss)
    assert found['ours_inertia'] == pytest.approx(found['faiss_inertia'], rel=0.02)


def test_report(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(segmentation, 'print_log', lines.append)
    monkeypatch.setattr(segmentation, 'TARGET_FACTOR', 0.0)
    monkeypatch.setattr(segmentation, 'TARGET_SHARE', 1e9)
    monkeypatch.setattr(segmentation, 'TARGET_INERTIA', 1.0)
    assert segmentation.main([*SMALL.split(), '--pairs', '1']) == 0
    assert 'factor' in lines[0] and 'reached' in lines[0]
    assert ('faiss' in lines[1]) and ('inertia' in lines[1])
    monkeypatch.setattr(segmentation, 'TARGET_FACTOR', 1e9)
    assert segmentation.main([*SMALL.split(), '--pairs', '1']) == 1
    assert 'MISSED' in lines[2]


def test_report_without_faiss(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(segmentation, 'print_log', lines.append)
    monkeypatch.setattr(segmentation, 'TARGET_FACTOR', 0.0)
    monkeypatch.setitem(sys.modules, 'faiss', None)
    assert segmentation.main([*SMALL.split(), '--pairs', '1']) == 0
    assert lines[1].endswith('not compared: faiss-cpu is not installed')
