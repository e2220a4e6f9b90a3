"""What evaluations of images leave for the report: maps, scores, confusions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densecorr.evaluation.functional.cluster_matching import (
    Contingency,
    contingency,
    match_clusters,
    merge_matched,
)
from densecorr.evaluation.metrics.cluster_seg import ClusterMetric
from densecorr.evaluation.metrics.cluster_views import image_scores
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    check_pictures,
    confusion_csv,
    per_image_csv,
    shown_places,
    shown_size,
    write_shown,
)
from densecorr.structures import LabelledImage, LabelMap
from densecorr.utils.images import read_label_map
from densecorr.utils.segment_colors import segment_map, segment_palette

SIDE = 16


def _image(name: str, labels: np.ndarray, group: str) -> LabelledImage:
    return LabelledImage(
        name=name,
        group=group,
        read_image=lambda: np.zeros((*labels.shape, 3), np.uint8),
        read_labels=lambda: LabelMap(labels),
        hash_inputs=lambda: name,
    )


def _clip(frames: int = 3) -> tuple[list[LabelledImage], np.ndarray]:
    """One square on another that moves, and features that tell four parts."""
    images, maps = [], []
    for t in range(frames):
        labels = np.zeros((SIDE, SIDE), np.uint8)
        labels[2 : 8 + t, 3:12] = 1
        parts = labels.copy()
        parts[:, 8:] += 2
        images.append(_image(f'clip/{t}', labels, 'clip'))
        maps.append(np.eye(4, dtype=np.float16)[parts])
    return images, np.stack(maps)


def _run(metric: ClusterMetric, out: Path) -> dict[str, str]:
    images, maps = _clip()
    metric.out_dir = str(out)
    results = [metric.run(job, images, maps) for job in metric.jobs(images)]
    return metric.tables(results)


def test_colours_stay_from_frame_to_frame(tmp_path: Path) -> None:
    images, _ = _clip()
    texts = _run(ClusterMetric(num_clusters=['classes', 4], seeds=(1, 2)), tmp_path)
    views = [f'{u}/K-{k}' for u in ('frame', 'clip', 'dataset') for k in ('classes', 4)]
    files = sorted((tmp_path / 'predictions').rglob('*.png'))
    assert len(files) == len(views) * len(images)
    kept = {
        view: [
            read_label_map(tmp_path / 'predictions' / view / f'{image.name}.png')[0]
            for image in images
        ]
        for view in views
    }
    parts = ((0, 0), (3, 4), (0, 15), (3, 9))  # a pixel of each of the four
    for view in views:
        seen = {tuple(int(one[at]) for at in parts) for one in kept[view]}
        if view.startswith('frame'):
            continue
        assert len(seen) == 1  # the same cluster, the same number in all frames
    found = kept['clip/K-4'][0]
    assert sorted({int(found[at]) for at in parts})[:2] == [0, 1]  # matched: classes
    assert sorted({int(found[at]) for at in parts})[2] >= 128  # the others: pale
    rows = texts['per_image.csv'].splitlines()
    assert rows[0] == 'View,Image,Clip,mIoU'
    assert len(rows) == 1 + len(views) * len(images)
    assert 'clip/K-classes,clip/0,clip,' in texts['per_image.csv']
    pixels = [row.split(',') for row in texts['confusion.csv'].splitlines()[1:]]
    for view in views:
        total = sum(int(row[3]) for row in pixels if row[0] == view)
        assert total == len(images) * SIDE**2


def test_of_a_whole_set_the_best_and_the_worst_are_kept(tmp_path: Path) -> None:
    metric = ClusterMetric(units=['dataset'], num_clusters=[2], pictures=1)
    texts = _run(metric, tmp_path)
    rows = [row.split(',') for row in texts['per_image.csv'].splitlines()[1:]]
    order = sorted(rows, key=lambda row: float(row[3]))
    expected = {f'{order[0][1]}.png', f'{order[-1][1]}.png'}
    folder = tmp_path / 'predictions/dataset/K-2'
    found = {path.relative_to(folder).as_posix() for path in folder.rglob('*.png')}
    assert found == expected
    _run(ClusterMetric(units=['frame'], pictures=0), tmp_path / 'none')
    assert not (tmp_path / 'none').exists()


def test_scores_of_images_use_the_matching_of_all() -> None:
    labels = np.array([[0, 0, 1, 1], [0, 0, 0, 1]])
    pred = np.array([[5, 5, 7, 7], [7, 7, 7, 7]])
    tables = [contingency(p, t) for p, t in zip(pred, labels, strict=True)]
    tables.append(contingency(np.zeros(0, int), np.zeros(0, int)))
    assert image_scores(tables) == [1.0, pytest.approx((0 + 1 / 4) / 2), None]


def test_clusters_of_a_class_become_one_column() -> None:
    table = Contingency(np.array([[4, 1, 0], [0, 2, 3]]), np.arange(2), np.arange(3))
    merged = merge_matched(table, match_clusters(table, 'many_to_one'))
    assert merged.counts.tolist() == [[4, 1], [0, 5]]
    assert merged.clusters.tolist() == [0, 1]
    text = confusion_csv([('a/b', merged)])
    assert text == 'View,Class,Predicted,Pixels\na/b,0,0,4\na/b,0,1,1\na/b,1,1,5\n'


def test_labels_of_pictures() -> None:
    palette = segment_palette()
    assert palette.shape == (256, 3)
    assert palette[[0, 1, 255]].tolist() == [[0, 0, 0], [128, 0, 0], [224, 224, 192]]
    assert palette[128:255].min(1).min() > 100  # pale
    assert len({tuple(color) for color in palette.tolist()}) > 250
    pred = np.array([[3, 4, 5, 6]])
    found = segment_map(
        pred, np.array([3, 4, 5]), np.array([2, 0, 255]), np.array([True, False, True])
    )
    assert found.tolist() == [[2, 132, 255, 134]]
    none = np.zeros(0, int)
    assert segment_map(pred, none, none, none).tolist() == [[131, 132, 133, 134]]


def test_maps_are_small_and_the_places_few(tmp_path: Path) -> None:
    assert shown_size((480, 854)) == (180, 320)
    assert shown_size((20, 320)) == (20, 320)
    write_shown(tmp_path, 'a/b', 'x/y', np.full((400, 640), 7))
    found, palette = read_label_map(tmp_path / 'predictions/a/b/x/y.png')
    assert found.shape == (200, 320)
    assert (found == 7).all()
    assert palette is not None
    assert (palette == segment_palette()).all()
    assert shown_places([0.5, float('nan'), 0.1, 0.9, 0.3], 1) == [2, 3]
    assert shown_places([0.5, float('nan'), 0.1], 6) == [2, 0]
    text = per_image_csv([ImageScore('v', 'a', 'c', float('nan'))])
    assert text.splitlines()[1] == 'v,a,c,'
    with pytest.raises(ValueError, match=r'pictures is -1; give how many of the best'):
        check_pictures(-1)
