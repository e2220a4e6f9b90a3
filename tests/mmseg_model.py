"""Build the model of a config of configs/mmseg; a program, run by a test.

With mmcv-lite `mmcv.ops`, the compiled operators, is replaced by empty classes, which
is enough to import MMSegmentation's models; no part of these configs uses an operator.
"""

from __future__ import annotations

import sys
import types

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, init_default_scope
from mmengine.structures import PixelData

from densecorr.compat import mmcv_flavour
from densecorr.models.heads.linear_probe import LinearProbeHead


class _Operators(types.ModuleType):
    """Names of operators without their code."""

    def __getattr__(self, name: str) -> type:
        if name.startswith('__'):
            raise AttributeError(name)
        return type(name, (), {})


def main(path: str) -> None:
    """Build at toy size, compare with our probe, and learn for a step."""
    flavour = mmcv_flavour()
    if flavour != 'mmcv':
        sys.modules['mmcv.ops'] = _Operators('mmcv.ops')
    from mmseg.datasets import PascalVOCDataset
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample

    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    cfg.model.backbone.update(arch='vit_tiny_patch16_224', depth=1)
    cfg.model.decode_head.update(in_channels=192, channels=192)
    cfg.model.data_preprocessor.update(size=(64, 64), test_cfg=dict(size=(64, 64)))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    hook = HOOKS.build(cfg.custom_hooks[0])
    assert type(hook).__module__.startswith('densecorr.')
    images = torch.randn(2, 3, 64, 64)
    probe = LinearProbeHead(192, 21)
    probe.conv.load_state_dict(model.decode_head.conv_seg.state_dict())
    with torch.no_grad():
        ours = probe(model.backbone(images)[-1], (4, 4))
        torch.testing.assert_close(model(images), ours)
    labels = torch.randint(0, 21, (2, 64, 64))
    labels[:, :8] = 255
    samples = []
    for one in labels:
        sample = SegDataSample(gt_sem_seg=PixelData(data=one[None]))
        sample.set_metainfo(dict(img_shape=(64, 64), ori_shape=(64, 64)))
        samples.append(sample)
    loss = model.loss(images, samples)['decode.loss_ce']
    feats = model.backbone(images)[-1]
    torch.testing.assert_close(loss, probe.loss(feats, labels))
    with torch.no_grad():
        found = model.eval().predict(images, samples)[0].pred_sem_seg.data
    assert found.shape == (1, 64, 64)
    assert np.isin(found.numpy(), range(21)).all()
    sys.stdout.write(f'{flavour} {" ".join(PascalVOCDataset.METAINFO["classes"])}\n')


if __name__ == '__main__':
    main(sys.argv[1])
