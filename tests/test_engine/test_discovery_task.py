"""Discovery of objects from a config to files, and on after an interruption."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from densecorr.apis.config import resolve, tracker_config
from densecorr.apis.dry_run import estimate
from densecorr.apis.evaluate import evaluate
from densecorr.datasets import SpriteWorld
from densecorr.engine.hooks.slot_discovery import SlotDiscoveryHook
from densecorr.registry import MODELS
from densecorr.utils.images import write_label_map

from ..trees import write_image

CONFIG = 'configs/test/dino_vits16.py'
TASK = 'discovery_spriteworld'
CLIPS = {
    'test_dataset.dataset.num_clips': 2,
    'test_dataset.dataset.num_frames': 4,
    'new:test_dataset.dataset.size': (48, 64),
}
SMALL = {
    'model.backbone.arch': 'vit_tiny_patch16_224',
    'new:model.backbone.depth': 1,
    'protocol.video_discovery.size.fixed': (64, 64),
    'protocol.video_discovery.kmeans.num_clusters': 4,
    **CLIPS,
}


def _evaluate(out: Path, **more: Any) -> dict[str, Any]:
    options = {**SMALL, **{f'new:test_evaluator.0.{k}': v for k, v in more.items()}}
    return evaluate(CONFIG, TASK, 'random', out, cfg_options=options, threads=1)


def test_kmeans_from_a_config_to_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / 'run'
    found = _evaluate(out)
    names = [name.partition('/') for name in found['metrics']]
    assert {score for score, _, _ in names} == {'per_frame_oracle', 'davis'}
    assert [score for score, _, _ in names[:2]] == ['per_frame_oracle', 'davis']
    metrics = found['metrics']
    assert 0 < metrics['davis/J&F-Mean'] <= metrics['per_frame_oracle/J&F-Mean'] <= 1
    assert found['candidates']['kind'] == 'kmeans'
    assert 'candidates: kmeans' in capsys.readouterr().out
    rows = (out / 'discovery.csv').read_text('utf-8').splitlines()
    assert [row.split(',')[:2] for row in rows[1:]] == [
        ['per_frame_oracle', 'kmeans'],
        ['davis', 'kmeans'],
    ]
    page = (out / 'report.html').read_text('utf-8')
    assert page.count('data:image/gif') == 2
    assert 'candidates: kmeans' in page
    views = ('per_frame_oracle', 'davis', 'missed/per_frame_oracle', 'missed/davis')
    for view in views:
        assert len(list((out / 'predictions' / view).rglob('*.png'))) == 8
    records = sorted((out / 'records').glob('*.json'))
    kept, before = records[0].stat().st_mtime_ns, (out / 'metrics.json').read_bytes()
    records[1].unlink()
    assert _evaluate(out)['metrics'] == metrics
    assert records[0].stat().st_mtime_ns == kept
    assert (out / 'metrics.json').read_bytes() == before
    assert json.loads(records[1].read_text('utf-8'))['results']['proposals'] == 4
    with pytest.raises(ValueError, match=r'made by another run: .*linker'):
        _evaluate(out, linker=0.7)


def test_what_it_would_cost() -> None:
    found = estimate(CONFIG, TASK, 'random', timed=False, cfg_options=SMALL)
    assert (found['images'], found['jobs'], found['cache_mb']) == (8, 2, 0)


SLOTS = 'configs/train/smtc_vittiny8_spriteworld.py'
TINY = {
    'model.backbone.depth': 1,
    'model.backbone.embed_dim': 24,
    'model.head.slots.num_slots': 4,
    'protocol.video_discovery.size.fixed': (64, 64),
    'protocol.video_discovery.slots.similarity': -1.0,
    **CLIPS,
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a head, as training writes it."""
    cfg = resolve(SLOTS, None, None, {k: v for k, v in TINY.items() if 'model' in k})
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('smtc') / 'iter_1.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta={}), path)
    return path


def test_slots_from_a_checkpoint(trained: Path, tmp_path: Path) -> None:
    def scored(name: str, **options: Any) -> dict[str, Any]:
        given = {**TINY, **options}
        out = tmp_path / name
        return evaluate(SLOTS, TASK, str(trained), out, cfg_options=given, threads=1)

    found = scored('first')
    assert found['candidates'] == dict(kind='slots', note='candidates: slots')
    rows = (tmp_path / 'first' / 'discovery.csv').read_text('utf-8').splitlines()
    assert rows[1].split(',')[-2] == '8.000000'  # 4 x 2 slots
    assert scored('second')['metrics'] == found['metrics']  # the noise has a seed
    for key, value in dict(seed=1, noise='video').items():
        options = {f'protocol.video_discovery.slots.{key}': value}
        assert scored(key, **options)['metrics'] != found['metrics']


def test_the_look_of_the_training_says_the_same(trained: Path, tmp_path: Path) -> None:
    side = (64, 64)
    cfg = resolve(SLOTS, None, None, {k: v for k, v in TINY.items() if 'model' in k})
    method = MODELS.build(cfg.model).eval()
    method.load_state_dict(torch.load(trained, weights_only=True)['state_dict'])
    world = dict(preset='single', num_clips=2, num_frames=4, seed=7000)
    look = SlotDiscoveryHook(
        dict(type='SpriteWorld', size=side, **world), side, chunk=3
    )
    with torch.inference_mode():
        theirs = look.measure(method)
    options = {
        **TINY,
        **{f'test_dataset.dataset.{key}': value for key, value in world.items()},
        'new:test_dataset.dataset.size': side,
        'protocol.video_discovery.slots.refinements': 3,
        'protocol.video_discovery.slots.similarity': 0.5,
    }
    out = tmp_path / 'run'
    found = evaluate(SLOTS, TASK, str(trained), out, cfg_options=options, threads=1)
    for score in ('per_frame_oracle', 'davis'):
        for name in ('J&F', 'J', 'F'):
            ours = found['metrics'][f'{score}/{name}-Mean']
            assert ours == pytest.approx(theirs[f'{score}/{name}'], abs=1e-9)


@pytest.mark.parametrize('noise', ['video', 'frame'])
def test_one_noise_sees_equal_frames_alike(noise: str) -> None:
    options = {**TINY, 'protocol.video_discovery.slots.noise': noise}
    model = MODELS.build(tracker_config(resolve(SLOTS, TASK, None, options))).eval()
    video = SpriteWorld('single', num_clips=1, num_frames=6, seed=7000)[0]
    still = replace(video, read_frame=lambda _: video.read_frame(0))
    first, *others = [frame.masks for frame in model.propose(still)]
    alike = [np.array_equal(first, other) for other in others]
    assert alike == [noise == 'video'] * 5


@pytest.mark.parametrize(('task', 'facet'), [('discovery', 'key'), ('davis', 'token')])
def test_slots_get_the_features_that_they_learned_from(task: str, facet: str) -> None:
    cfg = resolve('configs/train/smtc_vits16.py', task)
    assert tracker_config(cfg)['backbone']['facet'] == facet


def test_slots_that_cannot_be_had(trained: Path, tmp_path: Path) -> None:
    def refused(match: str, path: Path = trained, **options: Any) -> None:
        given = {**TINY, **options}
        with pytest.raises(Exception, match=match):
            evaluate(SLOTS, TASK, str(path), tmp_path / 'x', cfg_options=given)

    short = {'test_dataset.dataset.num_frames': 2}
    refused(r"video 'single_7000' has 2 frames, slots see 3 together\. Leave", **short)
    content = torch.load(trained, weights_only=True)
    bare = {k: v for k, v in content['state_dict'].items() if 'backbone' in k}
    torch.save(dict(state_dict=bare, meta={}), tmp_path / 'bare.pth')
    refused(r'has 0 of \d+ tensors of SlotHead; .*from k-means', tmp_path / 'bare.pth')
    noise = {'protocol.video_discovery.slots.noise': 'clip'}
    refused(r"slots\.noise is 'clip'; choose from \('frame', 'video'\)", **noise)
    more = {'model.head.slots.num_slots': 5}
    refused(r'a SlotHead of other shapes: slot_attention.slots_mu: file \(1, 4', **more)


def test_a_single_object_whose_labels_are_few(tmp_path: Path) -> None:
    root = tmp_path / 'FBMS'
    rng = np.random.default_rng(0)
    for t in range(4):
        frame = rng.integers(0, 256, (24, 32, 3)).astype(np.uint8)
        write_image(root / f'FBMS/cats01/cats01_{t:04d}.jpg', frame)
    labels = np.zeros((24, 32), np.uint8)
    labels[:, :16] = 255
    for t in (1, 3):
        path = root / f'FBMS_annotation/cats01/cats01_{t:04d}.png'
        write_label_map(path, labels)
    small = {
        **{k: v for k, v in SMALL.items() if k.startswith(('model', 'new:model'))},
        'protocol.single_object.size.fixed': (64, 64),
        'protocol.single_object.kmeans.num_clusters': 3,
        'test_dataset.root': str(root),
    }
    out, task = tmp_path / 'out', 'discovery_fbms'
    found = evaluate(CONFIG, task, 'random', out, cfg_options=small, threads=1)
    assert set(found['metrics']) == {'oracle_best/J-Mean', 'oracle_merge/J-Mean'}
    assert found['num_images'] == 2
    row = (out / 'single_object.csv').read_text('utf-8').splitlines()[1].split(',')
    assert (row[0], row[1], row[-1]) == ('cats01', 'kmeans', '2')
    assert (out / 'predictions/oracle_merge/cats01/cats01_0003.png').is_file()
