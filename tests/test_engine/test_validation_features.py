"""Tasks of cached features while a method trains."""

from __future__ import annotations

from pathlib import Path

import pytest

from densecorr.apis.config import load_config
from densecorr.apis.evaluate import evaluate
from densecorr.apis.train import train
from densecorr.apis.validation import with_preview_tasks
from tests.training_toys import write_config

BASES = Path(__file__).resolve().parents[2] / 'configs/_base_'
TASK = 'video_linear_spriteworld'
SMALL = {
    'protocol.video_linear.size.fixed': (32, 32),
    'test_evaluator.0.schedule.epochs': 1,
    'test_evaluator.0.sizes.train': 16,
    'test_evaluator.0.seeds': [0],
    **{
        f'{new}test_dataset.{part}.dataset.{key}': value
        for part in ('train', 'test')
        for new, key, value in (('', 'num_clips', 1), ('new:', 'size', (32, 48)))
    },
}


def test_a_probe_while_training_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        _base_=[str(BASES / name) for name in ('protocols/crw.py', 'train_runtime.py')],
        train_cfg=dict(max_iters=2),
        model=dict(
            type='SeeEdges',
            backbone=dict(type='Edges', stride=8),
            inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
        ),
        default_hooks=dict(checkpoint=dict(interval=2, unit='iter', max_keep=None)),
        validation=dict(
            tasks=[TASK], interval=2, unit='iter', best=f'{TASK}/mIoU', options=SMALL
        ),
    )
    done = train(config, tmp_path / 'run', device='cpu', threads=1)
    assert [entry['iter'] for entry in done['validation']] == [0, 2]
    kept = tmp_path / 'run/validation/iter_2' / TASK
    assert (kept / 'probe.csv').is_file()
    assert not (kept / 'features').exists() and not (kept / 'states').exists()
    again = evaluate(
        config,
        TASK,
        done['checkpoint'],
        tmp_path / 'after',
        cfg_options=SMALL,
        threads=1,
    )
    last = done['validation'][-1]['metrics']
    assert last == {f'{TASK}/{name}': value for name, value in again['metrics'].items()}


def test_a_preview_is_of_a_task_that_tracks() -> None:
    cfg = load_config('configs/test/dino_vits16.py')
    hooks = [dict(type='PreviewHook', task='voc_linear', interval=1)]
    with pytest.raises(
        ValueError, match=r"has task 'voc_linear', which tracks no vide"
    ):
        with_preview_tasks(hooks, cfg, None)
    (filled,) = with_preview_tasks([dict(hooks[0], task='davis')], cfg, None)
    assert filled['tracker']['type'] == 'VideoTracker'
