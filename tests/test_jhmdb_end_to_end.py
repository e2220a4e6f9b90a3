"""JHMDB from a tree of files to PCK, and what perfect and worthless features score."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from densecorr.apis.evaluate import evaluate, options_of_dataset
from densecorr.datasets import JHMDBDataset
from densecorr.datasets.toy import make_clip
from densecorr.datasets.toy.layouts.write import write_layout
from densecorr.evaluation.functional.keypoints import count_joints, joint_errors
from densecorr.propagation.tracker import results_of
from densecorr.registry import METRICS, MODELS
from densecorr.utils.jhmdb_files import read_joint_positions

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
SIZE = (240, 320)
THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.fixture(scope='module')
def clips():
    return {
        f'articulated_{i:02d}': make_clip('articulated', i, SIZE, 6) for i in (0, 1)
    }


@pytest.fixture(scope='module')
def root(clips, tmp_path_factory):
    root = tmp_path_factory.mktemp('data') / 'jhmdb'
    write_layout('jhmdb', list(clips.values()), root)
    return root


@pytest.mark.parametrize('config', ['crw_res18', 'res18_d8'])
def test_a_config_and_a_tree_give_pck(root, tmp_path, config):
    names = ['walker/articulated_00_1', 'dancer/articulated_01_2']
    options = options_of_dataset(str(root), names)
    options['test_dataset.max_frames'] = 3
    path, out = str(CONFIGS / f'test/{config}.py'), tmp_path / 'out'
    content = evaluate(
        path, 'jhmdb', 'random', out, cfg_options=options, threads=1, yardsticks='cheap'
    )
    start = 1 if config == 'crw_res18' else 0  # CRW leaves out frame 0
    found = []
    for video in JHMDBDataset(root, sequences=names, max_frames=3):
        file = out / 'predictions' / video.name / 'joint_positions.mat'
        pred = read_joint_positions(file, lost=True)
        target = np.stack([video.read_joints(t) for t in range(3)])
        errors = joint_errors(pred[start:], target[start:], zero_is_lost=not start)
        found.append(count_joints(errors, THRESHOLDS))
        assert (out / 'records' / f'{video.name}.json').is_file()
    total = (found[0] + found[1]).pck().tolist()
    expected = dict(zip([f'PCK@{a}' for a in THRESHOLDS], total, strict=True))
    assert content['metrics'] == pytest.approx(expected, abs=1e-9)
    written = json.loads((out / 'metrics.json').read_text())
    assert written['metrics'] == content['metrics']
    assert written['dataset']['note'].startswith('2 of 268 sequences')
    rows = (out / 'per_joint.csv').read_text().splitlines()
    assert rows[1].startswith(f'neck,{2 * (3 - start)},0,') and len(rows) == 16
    for name in ('pck.csv', 'per_video.csv', 'report.html'):
        assert (out / name).is_file()
    ceiling = json.loads((out / 'yardsticks/ceiling/metrics.json').read_text())
    assert ceiling['metrics']['PCK@0.1'] > 0.99


def score(kind, protocol, dataset, clips):
    """PCK over frames 1 and on, at stride 4."""
    metric = METRICS.build(dict(type='PCKMetric', skip_first=True))
    model = MODELS.build(dict(type=kind, stride=4, protocol=protocol)).eval()
    results = []
    for video in dataset:
        clip = clips[video.name.partition('/')[2].rpartition('_')[0]]
        metric.start(video)
        for result in results_of(model, replace(video, read_points=clip.points)):
            truth = video.read_joints(result.index)
            metric.update(result.index, result.joints, truth)
        results.append(metric.finish())
    return metric.compute_metrics(results)


@pytest.mark.parametrize(('name', 'frames'), [('crw', 3), ('spa_then_temp', 4)])
def test_perfect_features_reach_the_ceiling_and_noise_nothing(
    name, frames, root, clips
):
    protocols = CONFIGS / '_base_/protocols'
    protocol = Config.fromfile(protocols / f'{name}.py').protocol.jhmdb.to_dict()
    protocol['window']['radius'] *= 2  # the same neighbourhood at stride 4
    dancers = [f'dancer/{clip}_2' for clip in clips]  # who hide no joint of theirs
    dataset = JHMDBDataset(root, sequences=dancers, max_frames=frames)
    ceiling, perfect, noise = (
        score(kind, protocol, dataset, clips)
        for kind in ('LabelCeiling', 'PointTracker', 'NoiseTracker')
    )
    assert ceiling['PCK@0.1'] > 0.99
    for key, value in ceiling.items():
        assert perfect[key] >= 0.96 * value, (key, perfect, ceiling)
    assert noise['PCK@0.1'] <= 0.1, noise
