"""ClusterMetric: features that tell the classes, features that tell nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from densecorr.datasets.video_frames import VideoFrames
from densecorr.evaluation.functional.cluster_matching import cluster_scores
from densecorr.evaluation.metrics.cluster_seg import ClusterMetric
from densecorr.structures import LabelledImage, LabelMap

SIDE = 24
QUICK = dict(iterations=10, restarts=2)
WORLD = dict(
    type='SpriteWorld', preset='single', num_clips=2, num_frames=2, seed=7000, root=None
)


def _image(name: str, labels: np.ndarray, group: str = 'clip') -> LabelledImage:
    return LabelledImage(
        name=name,
        group=group,
        read_image=lambda: np.zeros((*labels.shape, 3), np.uint8),
        read_labels=lambda: LabelMap(labels),
        hash_inputs=lambda: name,
    )


def _codes(labels: np.ndarray) -> np.ndarray:
    """One channel per class, ``(h, w, c)``."""
    return np.eye(4, dtype=np.float16)[labels]


def _images(clips: int = 2, frames: int = 3) -> list[LabelledImage]:
    found = []
    for clip in range(clips):
        for t in range(frames):
            labels = np.zeros((SIDE, SIDE), np.uint8)
            labels[4 + t : 12 + t, 5:15] = 1 + clip
            labels[16:20, 2 + t : 22] = 3
            found.append(_image(f'{clip}/{t}', labels, f'{clip}'))
    return found


def _run(metric: ClusterMetric, images: Any, maps: np.ndarray) -> dict[str, float]:
    results = [metric.run(job, images, maps) for job in metric.jobs(images)]
    return metric.compute_metrics(results)


def test_codes_of_classes_are_clustered_without_error() -> None:
    images = _images()
    maps = np.stack([_codes(image.read_labels().indices) for image in images])
    metric = ClusterMetric(seeds=(1, 2), kmeans=dict(restarts=10))
    found = _run(metric, images, maps)
    for unit in ('frame', 'clip', 'dataset'):
        assert found[f'{unit}-classes'] == 1
        assert found[f'{unit}-classes-deviation'] == 0
    assert len(metric.jobs(images)) == 2 * (2 + 2 + 1)


def test_codes_of_sprites_through_their_dataset() -> None:
    images = list(VideoFrames(WORLD, num_frames=2))
    labels = [image.read_labels().indices for image in images]
    maps = np.stack([_codes(np.minimum(one, 3)) for one in labels])
    metric = ClusterMetric(units=['clip'], num_clusters=['classes', 6])
    found = _run(metric, images, maps)
    assert found['clip-classes'] >= 0.95
    assert found['clip-6-many'] >= 0.95
    coarse = maps[:, 8::16, 8::16]
    assert _run(metric, images, coarse)['clip-classes'] >= 0.5


def test_random_features_are_as_good_as_shuffled_clusters() -> None:
    images = _images(frames=6)
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((len(images), SIDE, SIDE, 8)).astype(np.float16)
    metric = ClusterMetric(units=['dataset'], num_clusters=[4], kmeans=QUICK)
    found = _run(metric, images, maps)['dataset-4']
    labels = np.stack([image.read_labels().indices for image in images])
    shuffled = cluster_scores(rng.integers(0, 4, labels.shape), labels).miou
    assert found == pytest.approx(shuffled, abs=0.02)


def test_void_counts_as_a_class_only_where_it_is_asked_for() -> None:
    labels = np.zeros((8, 8), np.uint8)
    labels[:, 4:], labels[:2] = 1, 255
    maps = np.where(labels == 255, 2, labels)
    images = [_image('one', labels)]
    features = _codes(maps)[None]
    metric = ClusterMetric(units=['frame', 'dataset'], void_units=['dataset'])
    jobs = metric.jobs(images)
    tables = [metric.run(job, images, features)['tables'][0] for job in jobs]
    assert [sorted({c for c, *_ in table}) for table in tables] == [[0, 1, 255], [0, 1]]
    nothing = [_image('void', np.full((8, 8), 255, np.uint8))]
    assert metric.run(jobs[1], nothing, features)['tables'] == [[]]


def test_tables() -> None:
    images = _images()
    maps = np.stack([_codes(image.read_labels().indices) for image in images])
    metric = ClusterMetric(
        units=['frame', 'dataset'], num_clusters=['classes', 8], kmeans=QUICK
    )
    metric.dataset_meta = dict(classes=['background', 'cat'])
    results = [metric.run(job, images, maps) for job in metric.jobs(images)]
    texts = metric.tables(results)
    lines = texts['clusters.csv'].splitlines()
    assert lines[0] == 'Unit,K,Rule,Background,mIoU,Deviation,Seeds,Units'
    assert lines[1] == 'frame,classes,hungarian,True,1.000000,0.000000,1,6'
    assert len(lines) == 1 + 2 * 2 * 6
    classes = texts['per_class.csv'].splitlines()
    assert classes[2].startswith('classes,1,1,cat,240,1.000000')
    assert classes[3].startswith('classes,1,2,2,240,1.000000')


def test_projections_are_fitted_on_batches_of_clips() -> None:
    images = _images(clips=3)
    settings = dict(dim=2, batch_size=2)
    metric = ClusterMetric(projection=settings, kmeans=QUICK)
    maps = np.random.default_rng(0).standard_normal((9, 4, 4, 4)).astype(np.float16)
    _run(metric, images, maps)
    batches = {(0, 1, 2, 3, 4, 5), (6, 7, 8), tuple(range(9))}
    assert set(metric._fitted) == batches


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"units are \['video'\]; choose of"):
        ClusterMetric(units=['video'])
    with pytest.raises(ValueError, match=r'num_clusters is \[0\]; give numbers from 1'):
        ClusterMetric(num_clusters=[0])
    with pytest.raises(ValueError, match=r"projection has \['batch_size', 'dim', 'of'"):
        ClusterMetric(projection=dict(of=3))
    with pytest.raises(ValueError, match=r"projection is over 'set'; choose of"):
        ClusterMetric(projection=dict(over='set'))
    images = _images(1, 1)
    metric = ClusterMetric(units=['frame'], num_clusters=[40])
    maps = np.zeros((1, 3, 3, 4), np.float16)
    with pytest.raises(ValueError, match=r'0/0: 40 clusters of 9 points.*Give 1 to 9'):
        metric.run(metric.jobs(images)[0], images, maps)


def test_cells_are_enlarged_as_clusters() -> None:
    labels = np.zeros((16, 16), np.uint8)
    labels[:, 8:] = 1
    images = [_image('one', labels)]
    maps = _codes(labels)[None, 2::4, 2::4]
    sizes = dict(labels=10, first_labels=8, assign='nearest')
    metric = ClusterMetric(units=['frame'], sizes=sizes, projection=dict(dim=None))
    (job,) = metric.jobs(images)
    table = metric.run(job, images, maps)['tables'][0]
    assert sorted(count for *_, count in table) == [50, 50]
    with pytest.raises(ValueError, match=r"sizes has .*'label'.*it takes .*'labels'"):
        ClusterMetric(sizes=dict(label=10))
