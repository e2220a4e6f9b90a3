"""Evaluations of cached features: from a config to numbers, resumed, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from densecorr.apis.evaluate import evaluate
from densecorr.engine.feature_store import FeatureStore

from ..trees import write_davis_tree

CONFIG = 'configs/test/crw_res18.py'


def _evaluate(root: Path, out: Path, **options: Any) -> dict[str, Any]:
    small = {
        'protocol.video_cluster.size.fixed': (64, 64),
        'test_evaluator.0.sizes': dict(points=16, labels=None),
        'test_evaluator.0.num_clusters': ['classes'],
        'new:test_dataset.root': str(root),
        **options.pop('cfg_options', {}),
    }
    return evaluate(
        CONFIG, 'video_cluster', 'random', out, cfg_options=small, threads=1, **options
    )


@pytest.fixture(scope='module')
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_davis_tree(tmp_path_factory.mktemp('davis'), {'dog': 5, 'camel': 5})


def test_a_run_and_its_continuation(tree: Path, tmp_path: Path) -> None:
    found = _evaluate(tree, tmp_path / 'run')
    assert set(found['metrics']) == {
        f'{unit}-classes{rule}'
        for unit in ('frame', 'clip', 'dataset')
        for rule in ('', '-many', '-precision')
    }
    assert all(0 <= value <= 1 for value in found['metrics'].values())
    assert found['num_images'] == 8
    out = tmp_path / 'run'
    summary = (out / 'metrics.json').read_bytes()
    assert (out / 'report.html').is_file() and (out / 'per_class.csv').is_file()
    # as if it had stopped in the middle: two images and a record are missing
    done = np.load(out / 'features' / 'done.npy', mmap_mode='r+')
    assert done.all()
    done[[1, 5]] = 0
    done.flush()
    features = (out / 'features' / 'features.npy').read_bytes()
    record = out / 'records' / 'clip' / 'K-classes' / 'seed-1' / 'dog.json'
    before = record.read_bytes()
    record.unlink()
    assert _evaluate(tree, out)['metrics'] == found['metrics']
    assert (out / 'metrics.json').read_bytes() == summary
    assert (out / 'features' / 'features.npy').read_bytes() == features
    assert record.read_bytes() == before
    with pytest.raises(ValueError, match=r'made by another run: .*num_clusters.*5'):
        _evaluate(tree, out, cfg_options={'test_evaluator.0.num_clusters': [5]})
    named = _evaluate(tree, out, protocol='neco', overwrite=True)
    assert named['protocol']['name'] == 'neco'
    with pytest.raises(KeyError, match=r"'dino' has no part for task 'video_cluster'"):
        _evaluate(tree, out, protocol='dino')
    with pytest.raises(ValueError, match=r"out_layout is 'dul'; this task tracks no"):
        _evaluate(tree, tmp_path / 'other', out_layout='dul')


def test_store(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path, dict(weights='a'))
    store.create((3, 2, 2, 4))
    store.open()
    assert store.missing() == [0, 1, 2]
    maps = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 4)
    store.write([1], maps)
    again = FeatureStore(tmp_path, dict(weights='a'))
    again.create((3, 2, 2, 4))
    again.open()
    assert again.missing() == [0, 2]
    np.testing.assert_array_equal(again.maps[1], maps[0])
    with pytest.raises(ValueError, match=r'fingerprint.weights was .a. there and is'):
        FeatureStore(tmp_path, dict(weights='b')).create((3, 2, 2, 4))
    with pytest.raises(ValueError, match=r'shape\[0\] was 3 there and is 4 now'):
        FeatureStore(tmp_path, dict(weights='a')).create((4, 2, 2, 4))
    with pytest.raises(ValueError, match='above 65504, the largest float16'):
        store.write([0], maps * 1e9)
    facts = json.loads((tmp_path / 'features.json').read_text())
    assert facts['shape'] == [3, 2, 2, 4]
