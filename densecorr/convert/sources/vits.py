"""Programs that train ViTs on images or frames; our names are timm's."""

from __future__ import annotations

from densecorr.convert.sources.source import (
    RESNET,
    VIT,
    VIT_KEYS,
    Export,
    Layout,
    Renames,
    Rules,
    Source,
)
from densecorr.convert.tensor_rules import (
    join_masked_bias,
    join_register_positions,
    name_gated_mlp,
    split_masked_bias,
    split_register_positions,
)

# timm's DINOv3 has models with and without biases of queries and values; published
# files have them all zero
SPARE_BIAS = (r'\.attn\.[qv]_bias$',)
_DECODER = (r'^decoder_', r'^mask_token$')
# Layer scale and registers: timm's names, which neither DINO nor iBOT have
_LATER = (r'\.(ls1\.gamma|gamma_1)$', r'^reg_token$')
_CROSS = r'^decoder_blocks\.0\.multihead_attn\.'
_FRAMES = r'^decoder_frame_info$'
# The trained part of the state dict of a self-distillation: see utils of each program
_BACKBONE: Renames = ((r'^backbone\.', ''),)
_TIMET = r'^(model\.)?(module\.)?'


def _siamese(title: str) -> Source:
    """Both are trained by one class of one repository, so their files look alike."""
    return Source(
        title=title,
        layout=Layout(
            containers=('model', ''),
            require=VIT_KEYS,
            forbid=(_FRAMES,),
            marks=(_CROSS,),
            needs_mark=True,
        ),
        rules=Rules(drop=_DECODER, keep=VIT),
        export=Export('model', lacks='the decoder and mask_token'),
        reference='alexandre-eymael/CropMAE models/SiamMAE.py (a36a364)',
    )


def _timet(title: str, network: str, needs_mark: bool = False) -> Source:
    """One of the two networks of a checkpoint."""
    backbone = rf'{_TIMET}{network}\.(backbone|model)\.'
    return Source(
        title=title,
        layout=Layout(('model', ''), require=(backbone,), needs_mark=needs_mark),
        rules=Rules(
            drop=(
                rf'{_TIMET}(?!{network}\.)(teacher|feature_extractor)\.',
                rf'{_TIMET}(teacher_)?prototypes$',
                rf'{_TIMET}({network}\.head|mlp_head)\.',
            ),
            rename=((backbone, ''),),
            keep=VIT,
        ),
        export=Export('', ((r'^', f'{network}.backbone.'),), (), 'heads, prototypes'),
        evidence='golden key lists with and without teacher, of both versions',
        reference='SMSD75/Timetuning time_tuning.py',
    )


VIT_SOURCES: dict[str, Source] = {
    'timm': Source(
        title='timm',
        layout=Layout(
            containers=('', 'state_dict', 'model'),
            require=VIT_KEYS,
            forbid=_DECODER,
        ),
        rules=Rules(drop=(r'^head\.', r'^head_dist\.'), keep=VIT, spare=SPARE_BIAS),
        export=Export(lacks='the classifier head'),
        evidence='the installed timm',
        reference='timm.models.vision_transformer, timm.models.eva',
    ),
    'dino': Source(
        title='DINO, ViT and ResNet-50, backbone or full',
        layout=Layout(
            containers=('teacher', 'student', ''),
            require=(
                r'^(backbone\.)?(patch_embed\.proj|conv1)\.weight$',
                r'^(backbone\.)?(blocks\.0\.attn\.qkv|layer1\.0\.conv1)\.weight$',
            ),
            forbid=(
                *_DECODER,
                *_LATER,
                r'^emb_q\.',
                r'^head\.last_layer2\.',
                r'masked_embed$',
            ),
            marks=(r'^dino_loss$',),
        ),
        rules=Rules(drop=(r'^head\.', r'^fc\.'), rename=_BACKBONE, keep=VIT + RESNET),
        export=Export(lacks='the head; a full checkpoint has two networks'),
        evidence='golden key lists of ViTs and of ResNet-50',
        reference='facebookresearch/dino utils.py load_pretrained_weights',
    ),
    'ibot': Source(
        title='iBOT, backbone or full',
        layout=Layout(
            containers=('teacher', 'student', 'state_dict', ''),
            require=(
                r'^(backbone\.)?patch_embed\.proj\.weight$',
                r'^(backbone\.)?blocks\.0\.attn\.qkv\.weight$',
            ),
            forbid=(*_DECODER, *_LATER),
            marks=(r'^ibot_loss$', r'^head\.last_layer2\.', r'masked_embed$'),
        ),
        rules=Rules(
            drop=(r'^head\.', r'^(backbone\.)?masked_embed$'),
            rename=_BACKBONE,
            keep=VIT,
        ),
        export=Export('state_dict', lacks='the head and masked_embed'),
        reference='bytedance/ibot main_ibot.py, models/vision_transformer.py',
    ),
    'dinov2': Source(
        title='DINOv2, with and without registers',
        layout=Layout(
            containers=('teacher', ''),
            require=(
                r'^(backbone\.)?pos_embed$',
                r'^(backbone\.)?blocks\.0\.(0\.)?ls1\.gamma$',
            ),
            marks=(r'^(backbone\.)?(mask_token|register_tokens)$',),
            needs_mark=True,
        ),
        rules=Rules(
            drop=(r'^(dino|ibot)_head\.', r'^(backbone\.)?mask_token$'),
            rename=(
                *_BACKBONE,
                (r'^blocks\.\d+\.(\d+)\.', r'blocks.\1.'),  # trained in chunks
                (r'^register_tokens$', 'reg_token'),
                (r'\.mlp\.w12\.', '.mlp.fc1.'),  # the gated MLP of ViT-g
                (r'\.mlp\.w3\.', '.mlp.fc2.'),
            ),
            tensors=(split_register_positions,),
            keep=VIT,
        ),
        export=Export(
            '',
            ((r'^reg_token$', 'register_tokens'),),
            (join_register_positions, name_gated_mlp),
            'mask_token, the heads',
        ),
        reference='facebookresearch/dinov2 dinov2/models/vision_transformer.py',
    ),
    'dinov3': Source(
        title='DINOv3',
        layout=Layout(
            containers=('teacher', ''),
            require=(
                r'^(backbone\.)?storage_tokens$',
                r'^(backbone\.)?blocks\.0\.attn\.qkv\.weight$',
            ),
        ),
        rules=Rules(
            drop=(
                r'^(dino|ibot|gram)_\w+\.',
                r'^(backbone\.)?(mask_token$|rope_embed\.|local_cls_norm\.)',
            ),
            rename=(
                *_BACKBONE,
                (r'^storage_tokens$', 'reg_token'),
                (r'\.ls([12])\.gamma$', r'.gamma_\1'),
                (r'\.mlp\.w1\.', '.mlp.fc1_g.'),  # the gated MLP of S+, H+ and 7B
                (r'\.mlp\.w2\.', '.mlp.fc1_x.'),
                (r'\.mlp\.w3\.', '.mlp.fc2.'),
            ),
            tensors=(split_masked_bias,),
            keep=VIT,
            spare=SPARE_BIAS,
        ),
        export=Export(
            '',
            (
                (r'^reg_token$', 'storage_tokens'),
                (r'\.gamma_([12])$', r'.ls\1.gamma'),
                (r'\.mlp\.fc1_g\.', '.mlp.w1.'),
                (r'\.mlp\.fc1_x\.', '.mlp.w2.'),
            ),
            (join_masked_bias, name_gated_mlp),
            'mask_token, rope_embed.periods, the heads',
        ),
        reference='facebookresearch/dinov3 dinov3/models/vision_transformer.py',
    ),
    'mae': Source(
        title='MAE, encoder or full',
        layout=Layout(
            containers=('model',),
            require=VIT_KEYS,
            forbid=(_CROSS, _FRAMES),
            marks=(r'^decoder_blocks\.0\.attn\.',),
        ),
        rules=Rules(drop=(*_DECODER, r'^head\.'), keep=VIT),
        export=Export('model', lacks='the decoder and mask_token'),
        reference='facebookresearch/mae models_mae.py (efb2a80)',
    ),
    'catmae': Source(
        title='CatMAE',
        layout=Layout(
            containers=('model', ''),
            require=VIT_KEYS,
            marks=(_FRAMES,),
            needs_mark=True,
        ),
        rules=Rules(drop=_DECODER, keep=VIT),
        export=Export('model', lacks='the decoder and mask_token'),
        evidence='golden key lists of the whole network and of its encoder',
        reference='minhoooo1/CatMAE models_catmae.py (0fb1f60)',
    ),
    'cropmae': _siamese('CropMAE'),
    'siammae': _siamese('SiamMAE, as trained by the CropMAE repository'),
    'smtc': Source(
        title='SMTC',
        layout=Layout(
            containers=('model_state_dict', ''),
            require=(
                r'^encoder\.cls_token$',
                r'^encoder\.patch_embed\.proj\.weight$',
                r'^encoder\.blocks\.0\.',
            ),
        ),
        rules=Rules(
            drop=(r'^(transport_proj|mlp_slot|slot_attention)\.',),
            rename=((r'^encoder\.', ''),),
            keep=VIT,
        ),
        export=Export(
            'model_state_dict',
            ((r'^', 'encoder.'),),
            (),
            'transport_proj, mlp_slot and slot_attention',
        ),
        evidence='golden key list of the whole network',
        reference='shvdiwnkozbw/SMTC src/model/model_twostage.py (d0791d8)',
    ),
    'timet': _timet('TimeT, the student', 'feature_extractor'),
    'timet_teacher': _timet('TimeT, the teacher', 'teacher', needs_mark=True),
}
