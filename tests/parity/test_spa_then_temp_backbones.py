import torch

from densecorr.convert import convert
from densecorr.registry import MODELS

from .replay import DEVICE, replay

INPUTS = ['image', 'depth', 'keys', 'shapes', 'strides_*', 'pool_*', 'out_indices_*']


@replay('spa_then_temp', 'resnet*_features', inputs=[*INPUTS, 'channel_step_*'])
def test_features(case):
    variants = [key.removeprefix('pool_') for key in case.arrays if 'pool_' in key]
    assert variants
    state = convert(case.state_dict(), 'spa_then_temp').state
    for variant in variants:
        stages = case[f'out_indices_{variant}'].tolist()
        config = dict(
            type='ResNet',
            depth=case.depth,
            strides=case[f'strides_{variant}'].tolist(),
            out_indices=stages,
            pool=case[f'pool_{variant}'],
        )
        backbone = MODELS.build(config).to(DEVICE).eval()
        backbone.load_state_dict(state, strict=True)
        with torch.no_grad():
            maps = backbone(case.tensor('image'))
        for stage, feats in zip(stages, maps, strict=True):
            name = f'{variant}_{stage}'
            step = case[f'channel_step_{name}']
            case.close(f'feat_{name}', feats[:, ::step], atol=1e-4)
            case.exact(f'feat_shape_{name}', feats.shape)
            case.close(f'feat_norm_{name}', feats.norm(), atol=1e-3)
