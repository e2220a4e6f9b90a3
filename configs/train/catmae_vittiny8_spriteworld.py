"""CatMAE with a small ViT on generated clips: minutes on a CPU, nothing to download.

The log and the pictures of previews/ tell how well clips of other seeds are rebuilt.
"""

_base_ = [
    '../_base_/protocols/catmae_s8_native.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='CatMAE',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_tiny_patch16_224',
        img_size=96,
        patch_size=8,
        depth=4,
        pos_embed_rule='scale_factor',
        init='mae',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    decoder=dict(
        type='CatMAEDecoder',
        channels=128,
        depth=2,
        num_heads=4,
        hidden=512,
        dropout=0.1,
    ),
    mask_ratios=(0.95, 0.95),
    weights=(0.8, 1.0),
)
checkpoint_source = 'catmae'
_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
_sampler = dict(type='CatMAESampler', gaps=((1, 3), (1, 3)), reverse=True)
_pipeline = [
    dict(
        type='ClipRandomResizedCrop',
        size=96,
        area=(0.1, 0.4),
        ratio=(3 / 4, 4 / 3),
        resizer='opencv',
    ),
    dict(type='ClipRandomFlip', prob=0.5),
    dict(type='PackClip'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=_sampler,
        clips_per_video=4,
        seed=0,
        pipeline=_pipeline,
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.95), weight_decay=0.05),
    paramwise_cfg=dict(no_decay_1d=True),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=300)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', warmup=30))],
    )
)
custom_hooks = [
    dict(
        type='ReconstructionHook',
        dataset=dict(
            type='SpriteWorldClips',
            worlds=dict(preset=_presets, num_clips=16, num_frames=12, seed=5000),
            sampler=_sampler,
            clips_per_video=2,
            seed=1,
            pipeline=_pipeline,
        ),
        interval=75,
        unit='iter',
    )
]
validation = dict(
    tasks=['spriteworld'], interval=150, unit='iter', best='spriteworld/J&F-Mean'
)
