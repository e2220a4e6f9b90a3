"""TimeT: the features of DINO's network, read from its checkpoints."""

from __future__ import annotations

import torch

from densecorr.propagation.frames import FrameInput
from densecorr.registry import MODELS

from .pipelines import load_golden, model_of
from .replay import DEVICE, Case, replay


@replay(
    'timet',
    'vit_features',
    inputs=[
        *('keys', 'shapes', 'frames', 'depth', 'num_heads', 'patch_size'),
        *('mean', 'std'),
    ],
)
def test_vit_features(case: Case) -> None:
    model = model_of('timet_vits16')
    shape = dict(depth=case.depth, num_heads=case.num_heads, patch_size=case.patch_size)
    backbone = MODELS.build({**model['backbone'], **shape})
    backbone = backbone.to(DEVICE).eval()
    assert backbone.stride == case.patch_size
    load_golden(backbone, case.state_dict(), 'dino')  # TimeT's own start weights
    model['inputs'].update(mean=case.mean.tolist(), std=case.std.tolist())
    inputs = FrameInput(**model['inputs'], multiple=backbone.stride)
    images = torch.stack([inputs(frame) for frame in case.frames]).to(DEVICE)
    with torch.no_grad():
        (feats,), attention = backbone(images), backbone.last_attention(images)
    case.close('tokens', feats.flatten(2).transpose(1, 2), atol=2e-5)
    case.close('cls_attention', attention[:, :, 0, 1:], atol=2e-5)
