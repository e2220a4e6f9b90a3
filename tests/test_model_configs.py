"""Every model config builds a backbone and an input that fit together."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from densecorr.propagation.frames import FrameInput
from densecorr.registry import MODELS

GEOMETRY = {  # stride and channels as published
    'catmae_vits16': (16, 384),
    'catmae_vits8': (8, 384),
    'crw_res18': (8, 256),
    'dino_res50': (8, 1024),
    'dino_vitb16': (16, 768),
    'dino_vitb8': (8, 768),
    'dino_vits16': (16, 384),
    'dino_vits8': (8, 384),
    'dinov2_reg4_vits14': (14, 384),
    'dinov2_vits14': (14, 384),
    'dinov3_vits16': (16, 384),
    'dul_res18': (8, 512),
    'mae_vitb16': (16, 768),
    'res18_d4': (4, 256),
    'res18_d8': (8, 256),
    'res18_s8': (8, 256),
    'res50_d4': (4, 1024),
    'res50_d8': (8, 1024),
    'res50_s8': (8, 1024),
    'smtc_vits16': (16, 384),
    'timet_vits16': (16, 384),
    'vfs_res18': (8, 256),
    'vfs_res50': (8, 1024),
    'videomae_vitb16': (16, 768),
    'vittiny8_spriteworld': (8, 96),
}


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[1])


def test_configs_were_found():
    found = {path.stem for path in Path('configs/_base_/models').glob('*.py')}
    assert set(GEOMETRY) == found


@pytest.mark.parametrize('name', sorted(GEOMETRY))
def test_geometry(name):
    model = Config.fromfile(f'configs/_base_/models/{name}.py').model
    assert model.type == 'VideoTracker'
    with torch.device('meta'):
        backbone = MODELS.build(model.backbone).eval()
    assert (backbone.stride, backbone.channels) == (
        GEOMETRY[name][0],
        [GEOMETRY[name][1]],
    )
    stride, channels = GEOMETRY[name]
    frame = np.zeros((4 * stride, 6 * stride, 3), np.uint8)
    images = FrameInput(**model.inputs, multiple=backbone.stride)(frame)[None]
    (feats,) = backbone(images.to('meta'))
    assert feats.shape == (1, channels, 4, 6)
