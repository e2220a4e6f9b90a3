"""LinearProbeMetric: what it learns, how it goes on, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from densecorr.evaluation.functional.cluster_matching import (
    contingency,
    match_clusters,
    matched_scores,
)
from densecorr.evaluation.metrics import probe_training
from densecorr.evaluation.metrics.linear_probe import LinearProbeMetric
from densecorr.evaluation.metrics.probe_training import ProbeSchedule
from densecorr.evaluation.metrics.semantic_seg import area_scores, class_areas
from densecorr.models.heads.linear_probe import LinearProbeHead

from .labelled import coded, labelled, two_parts

QUICK = dict(epochs=4, batch_size=4, lr=1.0, step=3)
META = dict(classes=['background', 'cat', 'dog'])


def _metric(**options: Any) -> LinearProbeMetric:
    metric = LinearProbeMetric(
        **{'schedule': QUICK, 'sizes': dict(train=16), 'pictures': 1, **options}
    )
    metric.dataset_meta = META
    return metric


def _run(metric: LinearProbeMetric, images: Any, maps: np.ndarray) -> list[dict]:
    found = [metric.run(job, images, maps) for job in metric.jobs(images)]
    return json.loads(json.dumps(found))


def test_classes_are_read_off_their_codes(tmp_path: Path) -> None:
    images = two_parts(np.random.default_rng(0))
    metric = _metric(schedule=dict(QUICK, epochs=40, lr=2.0), seeds=(0, 1))
    metric.out_dir = str(tmp_path)
    results = _run(metric, images, coded(images))
    found = metric.compute_metrics(results)
    assert found['mIoU'] == found['mIoU-annotated'] == found['aAcc'] == 1
    assert found['mIoU-deviation'] == 0
    curve = results[0]['curve']
    assert [entry['epoch'] for entry in curve] == list(range(41))
    assert curve[0]['numbers'][:2] == [None, None]
    assert curve[40]['numbers'][1] < curve[1]['numbers'][1]
    texts = metric.tables(results)
    assert texts['probe.csv'].splitlines()[0] == 'Seed,Epoch,LR,Loss,mIoU'
    assert len(texts['probe.csv'].splitlines()) == 1 + 2 * 41
    assert ',1.000000,1.000000' in texts['per_class.csv'].splitlines()[2]
    assert len(texts['per_image.csv'].splitlines()) == 1 + 4
    assert len(texts['confusion.csv'].splitlines()) == 1 + 3
    assert len(list(tmp_path.rglob('predictions/probe/test/*.png'))) == 2
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((len(images), 4, 4, 4)).astype(np.float16)
    assert _metric().compute_metrics(_run(_metric(), images, noise))['mIoU'] < 0.5


def test_scores_are_those_of_the_contingency_table() -> None:
    rng = np.random.default_rng(0)
    pred, labels = rng.integers(0, 4, (2, 20, 30))
    labels[:3] = 255
    labels[labels == 3] = 0  # a class that is predicted and not annotated
    found = area_scores(class_areas(pred, labels, 4) + class_areas(pred, labels, 4))
    table = contingency(pred, labels, 255)
    ours = matched_scores(table, match_clusters(table, 'linear_probe'))
    np.testing.assert_allclose(found.iou[:3], ours.iou, atol=1e-12)
    assert found.annotated_miou == pytest.approx(ours.miou, abs=1e-12)
    assert found.miou == pytest.approx(ours.iou.sum() / 4, abs=1e-12)
    assert found.aacc == pytest.approx((pred == labels)[3:].mean(), abs=1e-12)
    table_of_run = _run(_metric(), *_set())[0]
    assert np.asarray(table_of_run['areas'])[3].sum() == 4 * 16 * 16


def _set() -> tuple[list, np.ndarray]:
    images = two_parts(np.random.default_rng(0))
    return images, coded(images)


def test_it_goes_on_after_the_last_whole_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, maps = _set()
    options = dict(
        schedule=dict(QUICK, shuffle=True, interval=2), head=dict(batch_norm=True)
    )
    whole = _run(_metric(**options), images, maps)
    real, calls = probe_training._train_epoch, []

    def stops(*args: Any) -> float:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(probe_training, '_train_epoch', stops)
    metric = _metric(**options)
    metric.state_dir = tmp_path
    with pytest.raises(KeyboardInterrupt):
        _run(metric, images, maps)
    state = torch.load(tmp_path / 'probe' / 'seed-0.pth', weights_only=True)
    assert len(state['curve']) == 3
    again = _metric(**options)
    again.state_dir = tmp_path
    assert _run(again, images, maps) == whole
    assert len(calls) == 3 + 2
    assert whole[0]['curve'][1]['numbers'][2] is None  # validated every second epoch
    (tmp_path / 'probe' / 'seed-0.pth').write_bytes(b'torn')
    with pytest.raises(ValueError, match=r'seed-0.pth is no state of this probe.*over'):
        _run(again, images, maps)


def test_schedule() -> None:
    schedule = ProbeSchedule()
    rates = [schedule.lr_of(epoch) for epoch in (0, 19, 20, 39, 40, 49)]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4])
    assert schedule.order(130, 0, 3)[2] == list(range(120, 130))
    mixed = ProbeSchedule(shuffle=True)
    orders = [mixed.order(70, *key) for key in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert orders[0] == orders[3]
    assert orders[0] != orders[1] and orders[0] != orders[2]
    assert sorted(orders[0][0] + orders[0][1]) == list(range(70))


def test_one_step_is_that_of_plain_sgd() -> None:
    images, maps = _set()
    metric = _metric(schedule=dict(epochs=1, batch_size=6, lr=0.1, step=20))
    found = _run(metric, images, maps)[0]['curve'][1]['numbers'][1]
    torch.manual_seed(0)
    head = LinearProbeHead(4, 3)
    target = np.stack([image.read_labels().indices for image in images[:6]])
    feats = torch.from_numpy(maps[:6]).float().permute(0, 3, 1, 2)
    assert head.loss(feats, torch.from_numpy(target)).item() == pytest.approx(found)


def test_errors() -> None:
    images, maps = _set()
    with pytest.raises(ValueError, match=r"no images of part 'train'.*TrainAndTest"):
        _run(_metric(), images[6:], maps[6:])
    with pytest.raises(ValueError, match=r"no images of part 'test'"):
        _run(_metric(), images[:6], maps[:6])
    metric = _metric()
    metric.dataset_meta = dict(name='Frames')
    with pytest.raises(ValueError, match=r'Frames names no classes. Give num_classes'):
        _run(metric, images, maps)
    with pytest.raises(
        ValueError, match=r'train/0: labels are \[2\]; .* 0 to 1, 255 does not count'
    ):
        _run(_metric(num_classes=2), images, maps)
    strange = [*images, labelled('odd', np.full((16, 16), 77, np.uint8))]
    with pytest.raises(ValueError, match=r'test/odd: labels are \[77\]'):
        _run(_metric(), strange, np.concatenate([maps, maps[:1]]))
    bare = [labelled(str(i), np.full((8, 8), 255, np.uint8), 'train') for i in (0, 1)]
    with pytest.raises(ValueError, match=r'images to train on has a class: all are vo'):
        _run(_metric(), [*bare, *images[6:]], maps[: 2 + 4])
    bare = [labelled(str(i), np.full((8, 8), 255, np.uint8)) for i in (0, 1)]
    with pytest.raises(ValueError, match=r'no pixel of the test images has a class'):
        _run(_metric(), [*images[:6], *bare], maps[: 6 + 2])
    with pytest.raises(ValueError, match=r'loss of the probe is (inf|nan). Check the'):
        _run(_metric(schedule=dict(QUICK, lr=1e38)), images, maps)
    with pytest.raises(ValueError, match=r'epochs of the probe is 0; give at least 1'):
        _metric(schedule=dict(epochs=0))
    with pytest.raises(ValueError, match=r'lr of the probe is 0; it should be above'):
        _metric(schedule=dict(lr=0))
    with pytest.raises(ValueError, match=r"sizes has \['label', 'labels', 'train'\]"):
        _metric(sizes=dict(label=3))
    with pytest.raises(ValueError, match=r'sizes has train=None; images of a batch'):
        _metric(sizes=dict(train=None))
