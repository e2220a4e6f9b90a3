import torch

from densecorr.convert import convert
from densecorr.ops.pos_embed import interpolate_pos_embed
from densecorr.registry import MODELS

from .replay import DEVICE, replay


@replay(
    'dino',
    'vit_features',
    inputs=[
        *('v*_keys', 'v*_shapes', 'v*_patch_size', 'v*_depth', 'v*_heads', 'v*_input'),
        *('pos_embed', 'pe*_hw'),
    ],
)
def test_vit_features(case):
    models = [key.removesuffix('_keys') for key in case.arrays if '_keys' in key]
    assert models
    for name in models:
        state = case.state_dict(f'{name}_keys')
        backbone = MODELS.build(
            dict(
                type='TimmFeatures',
                arch='vit_small_patch16_224',
                pos_embed_rule='scale_factor',
                patch_size=case[f'{name}_patch_size'],
                depth=case[f'{name}_depth'],
                num_heads=case[f'{name}_heads'],
                embed_dim=state['cls_token'].shape[-1],
            )
        )
        backbone = backbone.to(DEVICE).eval()
        weights = convert(state, 'dino').state
        backbone.load_state_dict(weights, strict=True)
        images = case.tensor(f'{name}_input')
        with torch.no_grad():
            (feats,), (tokens,) = backbone(images), backbone.tokens(images)
            attention = backbone.last_attention(images)
        case.close(f'{name}_tokens', tokens, atol=2e-5)
        flat = feats.flatten(2).transpose(1, 2)
        case.close(f'{name}_tokens', torch.cat([tokens[:, :1], flat], 1), atol=2e-5)
        case.close(f'{name}_cls', tokens[:, 0], atol=2e-5)
        case.close(f'{name}_last_attention', attention, atol=2e-5)
    sizes = [key.removesuffix('_hw') for key in case.arrays if key.endswith('_hw')]
    assert sizes
    for name in sizes:
        grid = tuple(side // 16 for side in case[f'{name}_hw'].tolist())
        table = interpolate_pos_embed(case.tensor('pos_embed'), grid, 'scale_factor')
        case.close(name, table, atol=1e-5)
