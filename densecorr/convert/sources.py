"""Checkpoint formats as data: one :class:`Source` for each program that writes them.

Patterns are regular expressions, searched in the keys of the state dict after a leading
``module.`` was removed from them. The facts come from the official repositories.
"""

from __future__ import annotations

from dataclasses import dataclass

# The names of torchvision's ResNets and of timm's (and DINO's) ViTs, our own forms.
_RESNET = (r'^(conv1|bn1)\.', r'^layer[1-4]\.\d+\.')
_VIT = (
    r'^(cls_token|dist_token|reg_token|pos_embed)$',
    r'^(patch_embed|norm_pre|norm|fc_norm)\.',
    r'^blocks\.\d+\.',
)
_VIT_KEYS = (r'^patch_embed\.proj\.weight$', r'^blocks\.0\.attn\.qkv\.weight$')
_RESNET_KEYS = (r'^conv1\.weight$', r'^layer1\.0\.conv1\.weight$')
# OpenMMLab's conv modules: conv1.conv, conv1.bn, downsample.conv, downsample.bn
_MM_RESNET = (
    (r'^backbone\.', ''),
    (r'(^|\.)conv(\d)\.conv\.', r'\1conv\2.'),
    (r'(^|\.)conv(\d)\.bn\.', r'\1bn\2.'),
    (r'\.downsample\.conv\.', '.downsample.0.'),
    (r'\.downsample\.bn\.', '.downsample.1.'),
)
_MM_KEYS = (  # as trained, or as their converters write them
    r'^(backbone\.conv1\.conv|conv1)\.weight$',
    r'^(backbone\.layer1\.0\.conv1\.conv|layer1\.0\.conv1)\.weight$',
)


@dataclass(frozen=True)
class Source:
    """How one program writes its checkpoints.

    Attributes:
        containers: where the state dict lies, first match wins; ``''`` is the file.
        require: each must be found in some key, else it is another format.
        forbid: none may be found in any key.
        drop: keys that a backbone does not need, dropped by rule.
        rename: (pattern, replacement) pairs, applied one after the other.
        keep: forms of the keys after renaming; others are unknown. Empty: all.
        inner: prefix of the plain backbone where the network is more than one.
        reference: where the facts come from.
    """

    containers: tuple[str, ...]
    require: tuple[str, ...]
    forbid: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    keep: tuple[str, ...] = ()
    inner: str = ''
    reference: str = ''


SOURCES: dict[str, Source] = {
    'torchvision': Source(
        containers=('', 'state_dict', 'model'),
        require=_RESNET_KEYS,
        drop=(r'^fc\.',),
        keep=_RESNET,
        reference='torchvision.models.resnet',
    ),
    'timm': Source(
        containers=('', 'state_dict', 'model'),
        require=_VIT_KEYS,
        forbid=(r'^decoder_', r'^mask_token$'),
        drop=(r'^head\.', r'^head_dist\.'),
        keep=_VIT,
        reference='timm.models.vision_transformer',
    ),
    'dino': Source(
        containers=('teacher', 'student', ''),
        require=(
            r'^(backbone\.)?(patch_embed\.proj|conv1)\.weight$',
            r'^(backbone\.)?(blocks\.0\.attn\.qkv|layer1\.0\.conv1)\.weight$',
        ),
        forbid=(r'^decoder_', r'^mask_token$', r'^emb_q\.'),
        drop=(r'^head\.', r'^fc\.'),
        rename=((r'^backbone\.', ''),),
        keep=_VIT + _RESNET,
        reference='facebookresearch/dino utils.py load_pretrained_weights',
    ),
    'crw': Source(
        containers=('model', ''),
        require=(
            r'^encoder\.model\.conv1\.(1\.)?weight$',
            r'^encoder\.model\.layer1\.0\.conv1\.(1\.)?weight$',
        ),
        drop=(r'^selfsim_', r'^encoder\.model\.fc\.'),
        rename=(
            (r'^encoder\.model\.', ''),
            (r'(^|\.)conv(\d)\.1\.weight$', r'\1conv\2.weight'),  # older, padded convs
        ),
        keep=_RESNET,
        reference='ajabri/videowalk code/utils/__init__.py, code/model.py',
    ),
    'dul': Source(
        containers=('model', ''),
        require=(r'^(fast_net\.)?backbone\.conv1\.weight$', r'^(fast_net\.)?emb_q\.'),
        rename=((r'^fast_net\.', ''),),
        keep=(r'^backbone\.(conv1|bn1|layer[1-4])\.', r'^emb_q\.(conv1|bn1|conv2)\.'),
        inner='backbone.',
        reference='visinf/dense-ulearn-vos models/framework.py (88e5e35)',
    ),
    'vfs': Source(
        containers=('state_dict', ''),
        require=_MM_KEYS,
        forbid=(r'^backbone_t\.',),
        drop=(r'^img_head\.', r'^iteration$', r'^(backbone\.)?fc\.'),
        rename=_MM_RESNET,
        keep=_RESNET,
        reference='xvjiarui/VFS tools/convert_weights (8e055cc)',
    ),
    'spa_then_temp': Source(
        containers=('state_dict', ''),
        require=_MM_KEYS,
        forbid=(r'^img_head\.',),
        drop=(r'^backbone_t\.', r'^iteration$', r'^(backbone\.)?fc\.'),
        rename=_MM_RESNET,
        keep=_RESNET,
        reference='qianduoduolr/Spa-then-Temp vcl/models/backbones/resnet.py (4c94362)',
    ),
    'moco_v2': Source(
        containers=('state_dict', ''),
        require=(r'^encoder_q\.conv1\.weight$', r'^encoder_q\.layer1\.0\.conv1\.'),
        drop=(r'^encoder_k\.', r'^queue(_ptr)?$', r'^encoder_q\.fc\.'),
        rename=((r'^encoder_q\.', ''),),
        keep=_RESNET,
        reference='facebookresearch/moco main_lincls.py',
    ),
    'simsiam': Source(
        containers=('state_dict', ''),
        require=(r'^encoder\.conv1\.weight$', r'^encoder\.layer1\.0\.conv1\.'),
        drop=(r'^encoder\.fc\.', r'^predictor\.'),
        rename=((r'^encoder\.', ''),),
        keep=_RESNET,
        reference='facebookresearch/simsiam main_lincls.py',
    ),
    'mae': Source(
        containers=('model', ''),
        require=(*_VIT_KEYS, r'^decoder_blocks\.0\.attn\.'),
        drop=(r'^decoder_', r'^mask_token$'),
        keep=_VIT,
        reference='facebookresearch/mae models_mae.py (efb2a80)',
    ),
    'catmae': Source(
        containers=('model', ''),
        require=(*_VIT_KEYS, r'^decoder_frame_info$'),
        drop=(r'^decoder_', r'^mask_token$'),
        keep=_VIT,
        reference='minhoooo1/CatMAE models_catmae.py',
    ),
    'smtc': Source(
        containers=('model_state_dict', ''),
        require=(r'^encoder\.patch_embed\.proj\.weight$', r'^encoder\.blocks\.0\.'),
        drop=(r'^(transport_proj|mlp_slot|slot_attention)\.',),
        rename=((r'^encoder\.', ''),),
        keep=_VIT,
        reference='shvdiwnkozbw/SMTC src/model/model_twostage.py',
    ),
    'timet': Source(
        containers=('model', ''),
        require=(r'^(model\.)?(module\.)?feature_extractor\.backbone\.',),
        drop=(
            r'^(model\.)?(module\.)?teacher\.',
            r'^(model\.)?(module\.)?(teacher_)?prototypes$',
            r'^(model\.)?(module\.)?feature_extractor\.head\.',
        ),
        rename=((r'^(model\.)?(module\.)?feature_extractor\.backbone\.', ''),),
        keep=_VIT,
        reference='SMSD75/Timetuning time_tuning.py',
    ),
    'densecorr': Source(
        containers=('state_dict',),
        require=(r'^backbone\.',),
        forbid=(r'^backbone\.conv1\.conv\.', r'^fast_net\.', r'^img_head\.'),
        drop=(r'^(?!backbone\.)',),
        rename=((r'^backbone\.', ''),),
        reference='checkpoints that densecorr writes',
    ),
}
