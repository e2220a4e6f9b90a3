"""Tasks vip, ytvos and davis_testdev: from a tree to numbers and archives."""

import dataclasses
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from densecorr.apis.benchmarks.spriteworld import tracker_of
from densecorr.apis.evaluate import evaluate
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.datasets.toy.presets import make_clip
from densecorr.evaluation.functional.confusion import (
    confusion_histogram,
    confusion_scores,
    histogram_areas,
)
from densecorr.registry import DATASETS, METRICS
from densecorr.utils.images import read_label_map
from tests.parity.pipelines import protocol_of
from tests.trees import write_davis_tree, write_vip_tree, write_ytvos_tree

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/test/crw_res18.py'
SIZE = (48, 64)
CLIP = (120, 216)  # of generated clips


def run(task, root, out, **options):
    found = evaluate(
        CONFIG,
        task,
        'random',
        out,
        cfg_options={'test_dataset.root': str(root), **options},
        yardsticks='none',
        threads=1,
    )
    content = json.loads((out / 'metrics.json').read_text())
    assert content['metrics'] == found['metrics']
    return content


def maps(folder):
    return {
        path.relative_to(folder).as_posix(): read_label_map(path)[0]
        for path in sorted(folder.rglob('*.png'))
    }


def archived(path, folder):
    """Names in an archive below a folder; nothing else is in it."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith('/')]
    assert all(name.startswith(folder) for name in names)
    return sorted(name.removeprefix(folder) for name in names)


def test_vip(tmp_path):
    tree = write_vip_tree(
        tmp_path / 'VIP_Fine', {'videos1': 3, 'videos2': 2}, size=SIZE
    )
    options = {'protocol.vip.size.fixed': (64, 64)}
    content = run('vip', tmp_path, tmp_path / 'out', **options)
    assert sorted(content['metrics']) == ['aAcc', 'mAcc', 'mIoU']
    assert content['dataset']['note'] == '2 of 50 sequences: not VIP val'
    found = maps(tmp_path / 'out/predictions')
    assert len(found) == 5 and {m.shape for m in found.values()} == {SIZE}
    assert {int(n) for m in found.values() for n in np.unique(m)} <= {0, 2, 13}
    metric = METRICS.build(dict(type='PartsMetric'))
    results = []
    for video in map(
        DATASETS.build(dict(type='VIPDataset', root=tree)).__getitem__, range(2)
    ):
        metric.start(video)
        for t, name in enumerate(video.frame_names):
            pred = found[f'{video.name}/{name}.png']
            metric.update(t, pred, video.read_labels(t).indices)
        results.append(metric.finish())
    assert metric.compute_metrics(results) == content['metrics']  # read again
    table = (tmp_path / 'out/per_class.csv').read_text().splitlines()
    assert len(table) == 21 and table[3].startswith('2,hair,')


@pytest.mark.parametrize('all_frames', [False, True])
def test_ytvos(tmp_path, all_frames):
    videos = {'a': {1: 0, 2: 5}, 'b': {1: 0}}
    tree = write_ytvos_tree(tmp_path / 'ytvos', videos, size=SIZE)
    options = {'test_dataset.all_frames': all_frames}
    content = run('ytvos18', tree, tmp_path / 'out', **options)
    assert content['num_frames'] == (22 if all_frames else 6)
    assert content['fingerprint']['dataset']['all_frames'] is all_frames
    assert {'J&F-Mean', 'J-Mean', 'F-Mean'} <= set(content['metrics'])
    found = maps(tmp_path / 'out/predictions')
    names = [f'{video}/{t:05d}.png' for video in 'ab' for t in (0, 5, 10)]
    assert sorted(found) == names  # the released frames, whichever are tracked
    archive = tmp_path / 'out/submission/Annotations.zip'
    assert archived(archive, 'Annotations/') == names
    assert set(np.unique(found['a/00000.png'])) <= {0, 1}  # object 2 comes later
    (tmp_path / 'zip').mkdir()
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / 'zip')
    again = maps(tmp_path / 'zip/Annotations')
    data = DATASETS.build(dict(type='YouTubeVOSDataset', root=tree))
    metric, results = METRICS.build(dict(type='YouTubeVOSMetric')), []
    for video in map(data.__getitem__, range(2)):
        metric.start(video)
        for t, name in enumerate(video.frame_names):
            pred = again[f'{video.name}/{name}.png']
            metric.update(t, pred, video.read_labels(t).indices)
        results.append(metric.finish())
    scores = metric.compute_metrics(results)
    assert scores == {name: content['metrics'][name] for name in scores}


def test_ytvos_without_truth_is_tracked_and_handed_in(tmp_path):
    tree = write_ytvos_tree(tmp_path / 'ytvos', size=SIZE, truth=False)
    content = run('ytvos19', tree, tmp_path / 'out')
    assert content['metrics'] == {} and content['dataset']['with_truth'] == 0
    archive = tmp_path / 'out/submission/Annotations.zip'
    assert len(archived(archive, 'Annotations/')) == 3
    assert (tmp_path / 'out/report.html').is_file()


def test_davis_testdev_is_handed_in(tmp_path):
    tree = write_davis_tree(
        tmp_path / 'DAVIS',
        {'aerobatics': 3},
        split='test-dev',
        size=SIZE,
        annotated=[0],
    )
    content = run('davis_testdev', tree, tmp_path / 'out')
    assert content['metrics'] == {}
    archive = tmp_path / 'out/submission/DAVIS-2017-test-dev.zip'
    names = [f'aerobatics/{t:05d}.png' for t in range(3)]
    assert archived(archive, '') == names


def generated(layout, preset, num_frames, root):
    """Videos of two generated clips in a layout, which know their points."""
    clips = [make_clip(preset, seed, CLIP, num_frames) for seed in range(2)]
    write_layout(layout, clips, root)
    kind = 'VIPDataset' if layout == 'vip' else 'YouTubeVOSDataset'
    data = DATASETS.build(dict(type=kind, root=root))
    by_name = {clip.name: clip for clip in clips}
    by_name |= {f'videos{n}': clip for n, clip in enumerate(clips, 1)}
    return [
        dataclasses.replace(video, read_points=by_name[video.name].points)
        for video in map(data.__getitem__, range(len(data)))
    ]


def tracker(part, kind):
    protocol = {**protocol_of('crw', part), 'size': dict(rounding='nearest')}
    return tracker_of(kind, 4, protocol)


@torch.inference_mode()
def score(kind, part, videos, metric):
    results = []
    for video in videos:
        metric.start(video)
        for result in tracker(part, kind).track(video):
            known = result.index in video.label_frames
            target = video.read_labels(result.index).indices if known else None
            metric.update(result.index, result.label_map, target)
        results.append(metric.finish())
    return next(iter(metric.compute_metrics(results).values()))


@torch.inference_mode()
def part_ious(kind, videos):
    """IoU of every part in the frames after the first, which is given."""
    histogram = np.zeros((20, 20), np.int64)
    for video in videos:
        for result in list(tracker('vip', kind).track(video))[1:]:
            target = video.read_labels(result.index).indices
            histogram += confusion_histogram(result.label_map, target, 20)
    return confusion_scores(histogram_areas(histogram)).iou[1:]


def test_perfect_features_follow_parts_and_noise_does_not(tmp_path):
    videos = generated('vip', 'articulated', 4, tmp_path)
    metric = METRICS.build(dict(type='PartsMetric'))
    ceiling, perfect = (score(k, 'vip', videos, metric) for k in ('ceiling', 'perfect'))
    assert perfect >= 0.96 * ceiling and ceiling > 0.8, (perfect, ceiling)
    assert np.nanmean(part_ious('noise', videos)) < 0.02
    assert np.nanmean(part_ious('perfect', videos)) > 0.7


def test_perfect_features_follow_late_objects_and_noise_does_not(tmp_path):
    videos = generated('ytvos', 'late', 11, tmp_path)
    assert any(len(video.first_label_frames) > 1 for video in videos)
    metric = METRICS.build(dict(type='YouTubeVOSMetric'))
    kinds = ('ceiling', 'perfect', 'noise')
    ceiling, perfect, noise = (score(k, 'ytvos', videos, metric) for k in kinds)
    assert perfect >= 0.96 * ceiling and ceiling > 0.8, (perfect, ceiling)
    assert noise < 0.05, noise
