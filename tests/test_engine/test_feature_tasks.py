"""The linear probe and the foreground from a config to files, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from densecorr.apis.dry_run import estimate, format_estimate
from densecorr.apis.evaluate import evaluate
from densecorr.engine.feature_loop import FeatureTestLoop
from densecorr.evaluation.metrics import probe_training
from densecorr.registry import MODELS
from densecorr.utils.mapped import release_pages

CONFIG = 'configs/test/dino_vits16.py'
INPUTS = dict(mean=(0.5,) * 3, std=(0.25,) * 3)
VIT = dict(
    type='TimmFeatures',
    arch='vit_tiny_patch16_224',
    depth=2,
    pos_embed_rule='scale_factor',
)
SMALL = {
    'model.backbone.arch': VIT['arch'],
    'new:model.backbone.depth': 1,
    'protocol.video_linear.size.fixed': (64, 64),
    'protocol.video_foreground.size.fixed': (64, 64),
    **{
        f'{new}test_dataset.{part}.dataset.{key}': value
        for part in ('train', 'test')
        for new, key, value in (('', 'num_clips', 2), ('new:', 'size', (48, 64)))
    },
}
LINEAR = {
    'test_evaluator.0.schedule.epochs': 3,
    'test_evaluator.0.schedule.interval': 2,
    'test_evaluator.0.sizes.train': 16,
    'new:test_evaluator.0.pictures': 1,
}
FOREGROUND = {
    'test_evaluator.0.clusters.num_clusters': 8,
    'test_evaluator.0.sizes.points': 16,
    'new:test_evaluator.0.pictures': 1,
}


def _evaluate(task: str, out: Path, options: dict, **more: Any) -> dict[str, Any]:
    return evaluate(
        CONFIG,
        task,
        'random',
        out,
        cfg_options={**SMALL, **options},
        threads=1,
        **more,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_probe_goes_on_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = 'video_linear_spriteworld'
    whole = _evaluate(task, tmp_path / 'whole', LINEAR)
    real, done = probe_training._save, []

    def killed(*args: Any) -> None:
        real(*args)
        done.append(args)
        if len(done) == 5:  # in the second probe
            raise KeyboardInterrupt

    monkeypatch.setattr(probe_training, '_save', killed)
    with pytest.raises(KeyboardInterrupt):
        _evaluate(task, tmp_path / 'parts', LINEAR)
    with pytest.raises(
        ValueError, match=r'states/.*made by another run: .*lr was 0.01'
    ):
        (tmp_path / 'parts/records/probe/seed-0.json').rename(tmp_path / 'kept.json')
        other = {**LINEAR, 'test_evaluator.0.schedule.lr': 0.5}
        _evaluate(task, tmp_path / 'parts', other)
    (tmp_path / 'kept.json').rename(tmp_path / 'parts/records/probe/seed-0.json')
    assert _evaluate(task, tmp_path / 'parts', LINEAR)['metrics'] == whole['metrics']
    assert len(done) == 6
    for name in ('metrics.json', 'probe.csv', 'per_class.csv', 'confusion.csv'):
        files = [(tmp_path / run / name).read_bytes() for run in ('whole', 'parts')]
        assert files[0] == files[1], name
    rows = _rows(tmp_path / 'whole/probe.csv')
    assert [row['Epoch'] for row in rows] == ['0', '1', '2', '3'] * 2
    assert [bool(row['mIoU']) for row in rows[:4]] == [True, False, True, True]
    names = {row['Name'] for row in _rows(tmp_path / 'whole/per_class.csv')}
    assert names == {'background', 'object'}
    assert whole['dataset']['train']['classes'] == ['background', 'object']


def test_foreground(tmp_path: Path) -> None:
    task = 'foreground_spriteworld'
    found = _evaluate(task, tmp_path, FOREGROUND)
    assert 0 < found['metrics']['jaccard'] < 1
    assert [row['Seed'] for row in _rows(tmp_path / 'foreground.csv')] == ['1', '2']
    stored = np.load(tmp_path / 'attention' / 'features.npy', mmap_mode='r')
    assert stored.shape == (12, 4, 4, 3) and stored.any()
    report = (tmp_path / 'report.html').read_text()
    assert 'boundary-f' in report
    again = _evaluate(task, tmp_path, FOREGROUND, overwrite=True)
    assert again['metrics'] == found['metrics']


def test_a_network_without_attention_is_refused() -> None:
    model = MODELS.build(
        dict(
            type='FrameFeatures',
            backbone=dict(type='RawColors', stride=8),
            inputs=INPUTS,
            protocol=dict(size=dict(fixed=(48, 64))),
        )
    )
    with pytest.raises(
        ValueError, match=r'RawColors has no attention of a class token.*dino_vits16'
    ):
        model.maps([np.zeros((48, 64, 3), np.uint8)], attention=True)


def test_dry_run_of_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = dict(cfg_options={**SMALL, **FOREGROUND}, threads=1, device='cpu')
    task = 'foreground_spriteworld'
    fast = estimate(CONFIG, task, 'random', timed=False, **options)
    assert (fast['images'], fast['jobs'], fast['seconds']) == (12, 2, None)
    assert fast['cache_mb'] == pytest.approx(12 * 4 * 4 * 192 * 2 / 2**20)
    timed = estimate(CONFIG, task, 'random', **options)
    assert timed['gflop_features'] == fast['gflop_features'] > 0
    assert timed['seconds'] > 0
    text = format_estimate(timed)
    assert 'images       12' in text and '2 jobs on them, not counted' in text
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('out_indices', [(-1,), (0,)])
def test_attention_is_that_of_the_last_block(out_indices: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='FrameFeatures',
            backbone=dict(VIT, out_indices=out_indices),
            inputs=INPUTS,
            protocol=dict(size=dict(fixed=(48, 64))),
        )
    ).eval()
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    found = model.maps([image], attention=True)
    torch.testing.assert_close(found['features'], model.features([image]))
    with torch.no_grad():
        full = model.backbone.last_attention(model.inputs(image)[None])
    expected = full[:, :, 0, 1:].unflatten(2, (3, 4)).permute(0, 2, 3, 1) * 12
    torch.testing.assert_close(found['attention'], expected)


def test_a_model_without_class_token_has_no_attention() -> None:
    backbone = MODELS.build(dict(VIT, class_token=False, global_pool='avg', norm=False))
    with pytest.raises(ValueError, match=r'has no class token, so there is no attenti'):
        backbone.maps_and_attention(torch.zeros(1, 3, 224, 224))


def test_without_a_fingerprint_only_the_summary_stays(tmp_path: Path) -> None:
    world = dict(type='SpriteWorld', num_clips=1, num_frames=2, size=(48, 64))
    frames = dict(type='VideoFrames', dataset=world, num_frames=2, labels='foreground')
    model = MODELS.build(
        dict(
            type='FrameFeatures',
            backbone=dict(VIT, depth=1),
            inputs=INPUTS,
            protocol=dict(size=dict(fixed=(32, 32))),
        )
    )
    schedule = dict(epochs=1, batch_size=2)
    for _ in range(2):  # the second run, of other weights, finds nothing of the first
        loop = FeatureTestLoop(
            SimpleNamespace(model=model, call_hook=lambda name: None),
            dict(dataset=dict(type='TrainAndTest', train=frames, test=frames)),
            dict(type='LinearProbeMetric', schedule=schedule, sizes=dict(train=16)),
            str(tmp_path),
        )
        assert set(loop.run()) == {'mIoU', 'mIoU-annotated', 'mAcc', 'aAcc'}
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {
            *('metrics.json', 'probe.csv', 'per_class.csv', 'per_image.csv'),
            *('confusion.csv', 'records'),
        }
        assert not list((tmp_path / 'records').iterdir())
        model.backbone.apply(_other_weights)


def _other_weights(module: torch.nn.Module) -> None:
    for parameter in module.parameters(recurse=False):
        parameter.data.add_(0.01)


def test_released_pages_keep_their_values(tmp_path: Path) -> None:
    path = tmp_path / 'a.npy'
    array = np.lib.format.open_memmap(path, 'w+', np.float16, (64, 64, 8))
    array[3] = 5
    release_pages(array)
    release_pages(array[2:].reshape(-1, 8))
    assert (array[3] == 5).all() and not array[4].any()
    array.flush()
    assert (np.load(path, mmap_mode='r')[3] == 5).all()
    release_pages(np.zeros(3))
