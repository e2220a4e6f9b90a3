"""All checkpoint formats by name, in the order in which they are told."""

from __future__ import annotations

from densecorr.convert.sources.resnets import RESNET_SOURCES
from densecorr.convert.sources.source import VIT, Export, Layout, Rules, Source
from densecorr.convert.sources.vits import SPARE_BIAS, VIT_SOURCES
from densecorr.convert.tensor_rules import (
    add_sine_positions,
    fuse_query_value_bias,
    fuse_separate_qkv,
    join_spatial_positions,
    sum_kernel_over_time,
)

REDUCTION = 'reduction ours'
_REDUCTION = f'{REDUCTION}: a video model made to take single frames, not published'

# Video models, reduced to single frames.
_VIDEO_SOURCES = {
    'videomae': Source(
        title='VideoMAE, pre-trained',
        layout=Layout(
            containers=('model', 'module', ''),
            require=(
                r'^encoder\.patch_embed\.proj\.weight$',
                r'^encoder\.blocks\.0\.attn\.qkv\.weight$',
            ),
            forbid=(r'^encoder\.cls_token$',),
            marks=(r'^encoder_to_decoder\.',),
        ),
        rules=Rules(
            drop=(r'^decoder\.', r'^encoder_to_decoder\.', r'^mask_token$'),
            rename=((r'^encoder\.', ''),),
            tensors=(sum_kernel_over_time, fuse_query_value_bias, add_sine_positions),
            keep=VIT,
        ),
        note=_REDUCTION,
        reference='MCG-NJU/VideoMAE modeling_pretrain.py (5cefe18)',
    ),
    'mae_st': Source(
        title='MAE-ST',
        layout=Layout(
            containers=('model', 'model_state', ''),
            require=(
                r'^patch_embed\.proj\.weight$',
                r'^pos_embed_spatial$',
                r'^blocks\.0\.attn\.q\.weight$',
            ),
        ),
        rules=Rules(
            drop=(r'^decoder_', r'^mask_token$', r'^head\.', r'^pos_embed_temporal$'),
            tensors=(sum_kernel_over_time, fuse_separate_qkv, join_spatial_positions),
            keep=VIT,
        ),
        note=_REDUCTION,
        reference='facebookresearch/mae_st models_mae.py (27edea1)',
    ),
}

_OURS = Source(
    title='densecorr',
    layout=Layout(
        containers=('state_dict',),
        require=(r'^backbone\.',),
        forbid=(
            r'^backbone\.conv1\.conv\.',
            r'^fast_net\.',
            r'^(img|dino|ibot)_head\.',
        ),
        marks=(r'^meta$',),  # written by MMEngine and by densecorr convert
    ),
    rules=Rules(
        drop=(r'^(?!backbone\.)',),
        rename=((r'^backbone\.', ''),),
        inner='backbone.',
        spare=SPARE_BIAS,
    ),
    export=Export('state_dict', ((r'^', 'backbone.'),), (), 'nothing'),
    evidence='files that densecorr writes',
    reference='densecorr.apis.convert',
)

SOURCES: dict[str, Source] = {
    'torchvision': RESNET_SOURCES['torchvision'],
    'timm': VIT_SOURCES['timm'],
    'dino': VIT_SOURCES['dino'],
    **RESNET_SOURCES,
    **VIT_SOURCES,
    **_VIDEO_SOURCES,
    'densecorr': _OURS,
}
