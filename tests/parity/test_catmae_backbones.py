"""CatMAE: the positional table, ViT features, ResNets with foreign checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor

from densecorr.ops.pos_embed import interpolate_pos_embed, sincos_pos_embed
from densecorr.propagation.frames import FrameInput
from densecorr.registry import MODELS

from .pipelines import load_golden, model_of
from .replay import DEVICE, Case, replay

SOURCES = {  # of the table's models
    'imagenet18': 'torchvision',
    'imagenet50': 'torchvision',
    'simsiam': 'simsiam',
    'mocov2': 'moco_v2',
    'dino_r50': 'dino',
    'vfs': 'vfs',
}
MODELS_OF = {18: 'res18_s8', 50: 'res50_s8'}


def weights_of(case: Case) -> dict[str, Tensor]:
    """Filled weights, with fixed positional tables."""
    state = case.state_dict()
    for key in case.sincos_keys:
        _, rows, channels = state[key].shape
        side = round((rows - 1) ** 0.5)
        state[str(key)] = sincos_pos_embed(channels, (side, side))
    return state


def images_of(case: Case, inputs: dict) -> Tensor:
    """``(b, 3, H, W)`` as the configs make them, with the case's statistics."""
    statistics = dict(mean=case.mean.tolist(), std=case.std.tolist())
    frame_input = FrameInput(**{**inputs, **statistics})
    return torch.stack([frame_input(frame) for frame in case.frames]).to(DEVICE)


@replay('catmae', 'pos_embed', inputs=['n_cases', 'c*_dim', 'c*_height', 'c*_width'])
def test_pos_embed(case: Case) -> None:
    for i in range(case.n_cases):
        grid = (case[f'c{i}_height'], case[f'c{i}_width'])
        table = sincos_pos_embed(case[f'c{i}_dim'], grid)
        case.close(f'c{i}_table', table[0], atol=1e-6)


@replay(
    'catmae',
    'dense_features_*',
    inputs=['keys', 'shapes', 'sincos_keys', 'frames', 'patch_size', 'mean', 'std'],
)
def test_dense_features(case: Case) -> None:
    model, state = model_of(f'catmae_vits{case.patch_size}'), weights_of(case)
    backbone = MODELS.build(model['backbone']).to(DEVICE).eval()
    load_golden(backbone, dict(model=state), 'cropmae')  # without a decoder
    images = images_of(case, model['inputs'])
    with torch.no_grad():
        (feats,), (tokens,) = backbone(images), backbone.tokens(images)
    grid = (feats.shape[2], feats.shape[3])
    table = interpolate_pos_embed(
        state['pos_embed'], grid, model['backbone']['pos_embed_rule']
    )
    step = table.shape[2] // case.pos_embed_resized.shape[1]
    case.close('pos_embed_resized', table[0, :, ::step], atol=1e-6)
    case.close('cls', tokens[:, 0], atol=1e-4)
    case.close('features', feats.transpose(0, 1), atol=1e-4)


@replay(
    'catmae',
    'encoder_*',
    inputs=[
        *('keys', 'shapes', 'top_level', 'prefix', 'depth', 'frames', 'mean', 'std')
    ],
)
def test_encoder(case: Case) -> None:
    source = SOURCES[case.path.stem.removeprefix('encoder_')]
    state, top = case.state_dict(), str(case.top_level)
    content = {top: state} if top else state
    model = model_of(MODELS_OF[case.depth])
    images = images_of(case, model['inputs'])
    backbone = MODELS.build(model['backbone']).to(DEVICE).eval()
    load_golden(backbone, content, source)
    case.exact('stride', backbone.stride)
    with torch.no_grad():
        (feats,) = backbone(images)
    case.exact('feature_shape', feats.shape[1:])
    step = feats.shape[1] // len(case.features)
    case.close('features', feats[0, ::step], atol=1e-4)
    shifted = MODELS.build({**model['backbone'], 'zero_batches': True})
    shifted = shifted.to(DEVICE).eval()
    load_golden(shifted, content, source)
    with torch.no_grad():
        (feats,) = shifted(images)
    case.close('features_released_script', feats[0, ::step], atol=1e-4)
    variance = shifted.bn1.running_var
    case.close('bn1_running_var_released_script', variance, atol=1e-4)
