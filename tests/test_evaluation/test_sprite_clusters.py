"""Clusters of generated clips: features that are the classes, and features of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from densecorr.datasets.video_frames import VideoFrames
from densecorr.evaluation.functional.cluster_matching import cluster_scores
from densecorr.evaluation.metrics.cluster_seg import ClusterMetric
from densecorr.ops.cluster import cluster_maps
from densecorr.structures import LabelledImage

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/_base_/protocols'
PRESETS = ['single', 'occlusion', 'fast', 'light']
RULES = ('', '-many', '-precision')
OVER = 12


def _images(preset: str, clips: int = 1, frames: int = 2) -> list[LabelledImage]:
    world = dict(
        type='SpriteWorld', preset=preset, num_clips=clips, num_frames=4, seed=7000
    )
    return list(VideoFrames(world, num_frames=frames, root=None))


def _labels(images: list[LabelledImage]) -> np.ndarray:
    return np.stack([image.read_labels().indices for image in images])


def _shares(labels: np.ndarray, stride: int) -> torch.Tensor:
    """Share of every class in each cell, ``(n, class, h, w)``."""
    one_hot = F.one_hot(torch.from_numpy(labels).long()).permute(0, 3, 1, 2).float()
    return F.avg_pool2d(one_hot, stride)


def _scores(images: list[LabelledImage], maps: np.ndarray) -> dict[str, float]:
    """Of frames, as the default protocol has them but for the projection."""
    cfg = Config.fromfile(str(CONFIGS / 'segmentation/full_size.py'))
    options = cfg.protocol.video_cluster.metric.to_dict()
    options['projection'] = dict(dim=None)
    metric = ClusterMetric(units=['frame'], num_clusters=['classes', OVER], **options)
    return metric.compute_metrics(
        [metric.run(job, images, maps) for job in metric.jobs(images)]
    )


def _coded(shares: torch.Tensor) -> np.ndarray:
    """Maps ``(n, h, w, 16)``: every class has a random code, cells mix them."""
    codes = np.random.default_rng(0).standard_normal((shares.shape[1], 16))
    return (shares.permute(0, 2, 3, 1).numpy() @ codes).astype(np.float16)


@pytest.mark.parametrize('preset', PRESETS)
def test_codes_of_classes_are_told_at_stride_1(preset: str) -> None:
    images = _images(preset)
    found = _scores(images, _coded(_shares(_labels(images), 1)))
    for rule in RULES:
        assert found[f'frame-classes{rule}'] >= 0.95
    for rule in RULES[1:]:
        assert found[f'frame-{OVER}{rule}'] >= 0.95


@pytest.mark.parametrize('preset', PRESETS)
def test_codes_of_classes_come_near_the_ceiling_at_stride_16(preset: str) -> None:
    images = _images(preset)
    labels = _labels(images)
    shares = _shares(labels, 16)
    enlarged = F.interpolate(shares, labels.shape[1:], mode='bilinear').argmax(1)
    ceiling = np.mean(
        [
            cluster_scores(*both).miou
            for both in zip(enlarged.numpy(), labels, strict=True)
        ]
    )
    assert ceiling < 0.99
    found = _scores(images, _coded(shares))
    for rule in RULES:
        assert found[f'frame-classes{rule}'] >= 0.95 * ceiling
    # a cluster on a border goes to the smaller class by IoU, to the larger by precision
    assert found[f'frame-{OVER}-precision'] >= 0.95 * ceiling
    assert found[f'frame-{OVER}-many'] >= 0.85 * ceiling


@pytest.mark.parametrize('number', [4, 40])
@pytest.mark.parametrize('preset', PRESETS)
def test_noise_is_as_good_as_shuffled_clusters(preset: str, number: int) -> None:
    labels = _labels(_images(preset, clips=4, frames=4))
    rng = np.random.default_rng(1)
    maps = rng.standard_normal((len(labels), 15, 27, 8)).astype(np.float16)
    cells, _ = cluster_maps(maps, (15, 27), number, torch.Generator().manual_seed(0))

    def score(cells: np.ndarray) -> float:
        enlarged = cells.repeat(16, axis=1).repeat(16, axis=2)
        rule = 'hungarian' if number == 4 else 'many_to_one_precision'
        return cluster_scores(enlarged, labels, rule).miou

    shuffled = [
        score(rng.permuted(cells.reshape(-1)).reshape(cells.shape)) for _ in range(5)
    ]
    assert score(cells.numpy()) == pytest.approx(np.mean(shuffled), abs=0.02)
