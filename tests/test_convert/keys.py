"""Small state dicts under the names of each program."""

import torch

RESNET = ('conv1.weight', 'bn1.weight', 'layer1.0.conv1.weight')
VIT = ('cls_token', 'patch_embed.proj.weight', 'blocks.0.attn.qkv.weight', 'norm.bias')
DECODER = ('mask_token', 'decoder_embed.weight', 'decoder_pos_embed')
CROSS = ('decoder_blocks.0.multihead_attn.in_proj_weight',)


def tensors(*keys: str) -> dict[str, torch.Tensor]:
    """One number for each key, all different."""
    return {key: torch.tensor([float(i)]) for i, key in enumerate(keys)}


def prefixed(prefix: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(prefix + key for key in keys)


# source: container, keys of the backbone in the file, their names after conversion,
# keys that are dropped
FORMATS = {
    'torchvision': ('', RESNET, RESNET, ('fc.weight',)),
    'timm': ('', VIT, VIT, ('head.weight',)),
    'dino': (
        'teacher',
        prefixed('backbone.', VIT),
        VIT,
        ('head.mlp.0.weight', 'head.last_layer.weight_g'),
    ),
    'ibot': (
        'teacher',
        prefixed('backbone.', VIT),
        VIT,
        ('backbone.masked_embed', 'head.mlp.0.weight', 'head.last_layer2.weight_g'),
    ),
    'crw': (
        'model',
        prefixed('encoder.model.', RESNET),
        RESNET,
        ('selfsim_fc.0.weight', 'encoder.model.fc.weight'),
    ),
    'dul': (
        'model',
        prefixed('fast_net.', (*prefixed('backbone.', RESNET), 'emb_q.conv1.bias')),
        (*prefixed('backbone.', RESNET), 'emb_q.conv1.bias'),
        (),
    ),
    'vfs': (
        'state_dict',
        (
            'backbone.conv1.conv.weight',
            'backbone.conv1.bn.weight',
            'backbone.layer1.0.conv1.conv.weight',
        ),
        RESNET,
        ('iteration', 'img_head.projection_fcs.0.weight'),
    ),
    'spa_then_temp': (
        'state_dict',
        (
            'backbone.conv1.conv.weight',
            'backbone.conv1.bn.weight',
            'backbone.layer1.0.conv1.conv.weight',
        ),
        RESNET,
        ('iteration', 'backbone_t.conv1.conv.weight'),
    ),
    'moco_v2': (
        'state_dict',
        prefixed('module.encoder_q.', RESNET),
        RESNET,
        prefixed(
            'module.', ('encoder_q.fc.0.weight', 'encoder_k.conv1.weight', 'queue')
        ),
    ),
    'simsiam': (
        'state_dict',
        prefixed('module.encoder.', RESNET),
        RESNET,
        ('module.encoder.fc.0.weight', 'module.predictor.0.weight'),
    ),
    'mae': ('model', VIT, VIT, (*DECODER, 'decoder_blocks.0.attn.qkv.weight')),
    'catmae': ('model', VIT, VIT, (*DECODER, *CROSS, 'decoder_frame_info')),
    'cropmae': ('model', VIT, VIT, (*DECODER, *CROSS)),
    'siammae': ('model', VIT, VIT, (*DECODER, *CROSS)),
    'smtc': (
        'model_state_dict',
        prefixed('encoder.', VIT),
        VIT,
        ('transport_proj.weight', 'mlp_slot.0.weight', 'slot_attention.slots_mu'),
    ),
    'timet': (
        '',
        prefixed('feature_extractor.backbone.', VIT),
        VIT,
        ('prototypes', 'feature_extractor.head.0.weight', 'teacher.backbone.cls_token'),
    ),
    'timet_teacher': (
        '',
        prefixed('teacher.backbone.', VIT),
        VIT,
        ('prototypes', 'teacher.head.0.weight', 'feature_extractor.backbone.cls_token'),
    ),
    'densecorr': (
        'state_dict',
        prefixed('backbone.', RESNET),
        RESNET,
        ('head.weight', 'teacher.backbone.conv1.weight', 'iteration'),
    ),
}
