"""SMTC with a small ViT on generated clips: minutes on a CPU, nothing to download.

The ViT begins with random weights and hardly moves: the slots learn to tell colours and
textures apart. The published recipes fine-tune DINO's. The log tells how well slots meet
the sprites of clips of other seeds.
"""

_base_ = [
    '../_base_/protocols/smtc_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='SMTC',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_tiny_patch16_224',
        img_size=128,
        patch_size=8,
        depth=2,
        embed_dim=96,
        num_heads=3,
        facet='key',
        norm=False,
        pos_embed_rule='scale_factor',
        drop_path_rate=0.1,
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    head=dict(
        grid=(16, 16),
        slots=dict(num_slots=12, num_instances=2, iterations=3, area='soft'),
    ),
    losses=dict(transport=dict(weight=1.0), overlap=dict(weight=1.0)),
    valid=dict(share_threshold=0.3, area_threshold=0.05, similarity_threshold=0.5),
    views=dict(jitter=(0.4, 0.4, 0.4, 0.1), sigma=(0.1, 1.0)),
)
tracker = dict(backbone=dict(facet='token', drop_path_rate=0.0))
checkpoint_source = 'smtc'
unused_parameters = [
    'backbone.model.blocks.1.attn.proj.*',
    'backbone.model.blocks.1.norm2.*',
    'backbone.model.blocks.1.mlp.*',
    'backbone.model.norm.*',
]
_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='SMTCSampler', num_frames=3, gap=2),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(type='ClipResize', size=128, resizer='opencv'),
            dict(type='PackClip'),
        ],
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(type='AdamW', lr=3e-3, betas=(0.9, 0.999), weight_decay=0.1),
    paramwise_cfg=dict(
        groups=dict(encoder=dict(patterns=['backbone.*'], lr_mult=0.01)),
        no_decay_1d=True,
    ),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=300)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', end=0.1))],
    )
)
_ema = dict(type='EMATeacherHook', ema_decay=0.99)
custom_hooks = [
    dict(_ema, student='backbone', teacher='teacher.backbone'),
    dict(_ema, student='head', teacher='teacher.head'),
    dict(type='CollapseMonitorHook', watch=dict(feature_std=0.02)),
    dict(
        type='SlotDiscoveryHook',
        dataset=dict(
            type='SpriteWorld',
            preset=_presets,
            num_clips=16,
            num_frames=12,
            seed=5000,
            root=None,
        ),
        size=(128, 128),
        chunk=3,
        interval=150,
        unit='iter',
    ),
]
validation = dict(
    tasks=['spriteworld'], interval=150, unit='iter', best='spriteworld/J&F-Mean'
)
