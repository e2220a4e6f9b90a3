"""Two processes share features and jobs, and find what one finds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from densecorr.engine.feature_loop import FeatureTestLoop
from densecorr.registry import MODELS

from ..two_ranks import run_two_ranks

WORLD = dict(type='SpriteWorld', num_clips=2, num_frames=2, size=(48, 64))
FRAMES = dict(type='VideoFrames', dataset=WORLD, num_frames=2, labels='foreground')


def probe(rank: int, folder: str) -> dict[str, float]:
    """The metrics of two probes on colours."""
    model = MODELS.build(
        dict(
            type='FrameFeatures',
            backbone=dict(type='RawColors', stride=8),
            inputs=dict(mean=(0.5,) * 3, std=(0.25,) * 3),
            protocol=dict(size=dict(fixed=(48, 64))),
        )
    )
    loop = FeatureTestLoop(
        SimpleNamespace(model=model, call_hook=lambda name: None),
        dict(dataset=dict(type='TrainAndTest', train=FRAMES, test=FRAMES)),
        dict(
            type='LinearProbeMetric',
            schedule=dict(epochs=2, batch_size=2),
            sizes=dict(train=16),
            seeds=[0, 1],
        ),
        folder,
        fingerprint=dict(made_by='a test'),
    )
    return loop.run()


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path: Path) -> None:
    alone = probe(0, str(tmp_path / 'one'))
    assert run_two_ranks(probe, str(tmp_path / 'two')) == [alone, alone]
    names = [
        path.relative_to(tmp_path / 'one')
        for path in sorted((tmp_path / 'one').rglob('*'))
        if path.is_file()
    ]
    assert any(name.name == 'features.npy' for name in names)
    for name in names:
        files = [(tmp_path / run / name).read_bytes() for run in ('one', 'two')]
        assert files[0] == files[1], name
