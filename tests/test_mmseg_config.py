"""Backbones of densecorr under MMSegmentation's EncoderDecoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mmengine.config import Config

from densecorr.utils.data_info import load_data_info

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/mmseg/linear_dino_vits16_voc12aug.py'


def test_the_model_builds_and_its_head_is_the_linear_probe() -> None:
    """With mmcv-lite the operators are left empty, see the program."""
    program = [sys.executable, str(ROOT / 'tests/mmseg_model.py'), str(CONFIG)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    flavour, *classes = done.stdout.splitlines()[-1].split()
    assert flavour in ('mmcv', 'mmcv-lite')
    ours = load_data_info('voc').classes
    assert len(classes) == len(ours) == 21
    assert [name for name in ours if name in classes][:4] == classes[:4]


def test_its_data_lie_where_ours_do() -> None:
    cfg = Config.fromfile(str(CONFIG))
    assert cfg.train_dataloader.dataset.data_root in load_data_info('voc').roots
    assert cfg.train_dataloader.dataset.ann_file.endswith('trainaug.txt')
    assert cfg.model.decode_head.num_convs == 0
