"""CatMAE with a small ViT on generated clips: minutes on a CPU, nothing to download.

Crops are small and frames close, so that it learns to copy in 1000 steps. The log and the
pictures of previews/ tell how well clips of other seeds are rebuilt.
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
        img_size=48,
        patch_size=8,
        depth=3,
        embed_dim=96,
        pos_embed_rule='scale_factor',
        init='mae',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    decoder=dict(
        type='CatMAEDecoder',
        channels=96,
        depth=2,
        num_heads=4,
        hidden=384,
        dropout=0.0,
    ),
    mask_ratios=(0.9, 0.9),
    weights=(0.8, 1.0),
)
checkpoint_source = 'catmae'
_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
_sampler = dict(type='CatMAESampler', gaps=((1, 2), (1, 2)), reverse=True)
_pipeline = [
    dict(
        type='ClipRandomResizedCrop',
        size=48,
        area=(0.03, 0.1),
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
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.05),
    paramwise_cfg=dict(no_decay_1d=True),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=1000)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', warmup=50))],
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
        interval=250,
        unit='iter',
    )
]
validation = dict(
    tasks=['spriteworld'],
    interval=500,
    unit='iter',
    best='spriteworld/J&F-Mean',
    options=dict(test_dataset=dict(num_clips=8)),  # of 16, one of each kind
)
