"""Dense retrieval from a config to files, and on after an interruption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from densecorr.apis.evaluate import evaluate
from densecorr.evaluation.metrics import retrieval

CONFIG = 'configs/test/dino_vits16.py'
CLIPS = {
    f'{new}test_dataset.{part}.{key}': value
    for part in ('train.dataset.dataset', 'test.dataset')
    for new, key, value in (('', 'num_clips', 2), ('new:', 'size', (48, 64)))
}
SMALL = {
    'model.backbone.arch': 'vit_tiny_patch16_224',
    'new:model.backbone.depth': 1,
    'protocol.retrieval.size.fixed': (64, 64),
    'test_evaluator.0.sizes': dict(memory=64, labels=64),
    'test_evaluator.0.memory_size': 20,
    'test_evaluator.0.neighbours': 5,
    **CLIPS,
}


def _evaluate(out: Path, **more: Any) -> dict[str, Any]:
    options = {**SMALL, **{f'test_evaluator.0.{k}': v for k, v in more.items()}}
    task = 'retrieval_spriteworld'
    return evaluate(CONFIG, task, 'random', out, cfg_options=options, threads=1)


def test_a_run_and_its_continuation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, '_BLOCK', 2)
    out = tmp_path / 'run'
    found = _evaluate(out)
    assert set(found['metrics']) == {'mIoU'}
    assert found['num_images'] == 2 * 2 + 2 * 2  # two epochs of a frame, two frames
    records = sorted((out / 'records').rglob('*.json'))
    assert [path.name for path in records] == ['00000.json', '00001.json']
    names = ('metrics.json', 'per_image.csv', 'confusion.csv', 'report.html')
    before = [(out / name).read_bytes() for name in names]
    kept = records[0].stat().st_mtime_ns
    records[1].unlink()
    assert _evaluate(out)['metrics'] == found['metrics']
    assert [(out / name).read_bytes() for name in names] == before
    assert records[0].stat().st_mtime_ns == kept
    assert records[1].is_file()
    page = (out / 'report.html').read_text('utf-8')
    assert page.count('data:image/gif') == 2
    with pytest.raises(ValueError, match=r'made by another run: .*neighbours'):
        _evaluate(out, neighbours=4)
