"""SMTC: the encoder, also at sides that its patches do not fill."""

from __future__ import annotations

import torch

from densecorr.registry import MODELS

from .adapters_methods import scaled_state
from .pipelines import load_golden, model_of, protocol_of
from .replay import DEVICE, Case, replay

_LEFT = ['keys', 'shapes', 'scales', 'images', 'image_divisor', 'images_odd']


@replay('smtc', 'encoder', inputs=_LEFT)
def test_encoder(case: Case) -> None:
    content = dict(model_state_dict=scaled_state(case))
    model = {**model_of('smtc_vits16'), 'protocol': protocol_of('smtc_s8')}
    tracker = MODELS.build(model).to(DEVICE).eval()
    backbone = tracker.backbone
    load_golden(backbone, content, 'smtc')
    of_keys = MODELS.build({**model['backbone'], 'facet': 'key'}).to(DEVICE).eval()
    load_golden(of_keys, content, 'smtc')
    images = case.tensor('images').float() / case.image_divisor
    odd = case.tensor('images_odd').float() / case.image_divisor
    height, width = tracker.seen_size((odd.shape[2], odd.shape[3]))
    with torch.no_grad():
        found = dict(
            tokens=backbone(images)[0],
            cls_token=backbone.tokens(images)[0][:, 0],
            last_keys=of_keys(images)[0],
            last_attention_cls=backbone.last_attention(images)[:, :, 0, 1:],
            tokens_odd=backbone(odd[..., :height, :width])[0],
        )
    for name, value in found.items():
        case.close(name, value, atol=1e-5 * float(abs(case[name]).max()))
