"""Every task of segmentation builds, by every protocol that has a part for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from densecorr.apis.config import resolve, segmentation_tasks, tracker_config
from densecorr.registry import LOOPS, METRICS, MODELS

ROOT = Path(__file__).resolve().parents[1] / 'configs'
CONFIG = ROOT / 'test/dino_vits16.py'
PROTOCOLS = {
    path.stem: Config.fromfile(str(path)).protocol
    for path in sorted(ROOT.glob('_base_/protocols/segmentation/*.py'))
}
TASKS = {
    name: Config.fromfile(str(path))[f'task_{name}']
    for name, path in segmentation_tasks().items()
}


def test_tasks_and_protocols_were_found() -> None:
    assert {'voc_cluster', 'voc_linear', 'foreground', 'video_cluster'} <= set(TASKS)
    assert {'full_size', 'timet', 'neco'} <= set(PROTOCOLS)
    for name, task in TASKS.items():
        assert any(task.task in protocol for protocol in PROTOCOLS.values()), name


@pytest.mark.parametrize('task', TASKS)
def test_a_task_builds(task: str) -> None:
    part = TASKS[task].task
    for protocol in (name for name, known in PROTOCOLS.items() if part in known):
        cfg = resolve(CONFIG, task, protocol)
        metric = METRICS.build(cfg.test_evaluator[0])
        assert callable(metric.jobs) and callable(metric.run)
        assert LOOPS.get(cfg.test_loop)
        assert MODELS.get(tracker_config(cfg)['type'])
        assert cfg.test_dataset.reader == cfg.protocol[part].reader


def test_timet_has_the_numbers_of_its_card() -> None:
    part = PROTOCOLS['timet'].voc_linear
    schedule = dict(part.metric.schedule)
    assert schedule == dict(
        epochs=50,
        batch_size=60,
        lr=0.01,
        momentum=0.9,
        weight_decay=1e-4,
        step=20,
        gamma=0.1,
        shuffle=False,
        interval=1,
    )
    assert (part.size.fixed, part.metric.void) == ((448, 448), 255)
    assert dict(part.metric.sizes) == dict(train=100, labels=100)
    metric = PROTOCOLS['timet'].foreground.metric
    assert metric.clusters.num_clusters == 300
    assert tuple(metric.cut.cuts) == (0.55, 0.75)
    assert dict(metric.boundary) == dict(distance=16, contour='background')
