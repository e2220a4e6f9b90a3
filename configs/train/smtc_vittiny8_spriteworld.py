"""SMTC with a small ViT on generated clips: minutes on a CPU, nothing to download.

It begins with the weights of TimeT, which begins with those of the random walk; both take
minutes, too:
  bash tools/dist_train.sh configs/train/crw_vittiny8_spriteworld.py 1
  bash tools/dist_train.sh configs/train/timet_vittiny8_spriteworld.py 1
Slots are taken from tokens, which TimeT trains, not from keys. The log tells how well they
meet the sprites of clips of other seeds.
"""

_base_ = [
    '../_base_/models/vittiny8_spriteworld.py',
    '../_base_/protocols/smtc_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='SMTC',
    backbone=dict(drop_path_rate=0.1),
    head=dict(
        grid=(16, 16),
        slots=dict(num_slots=16, num_instances=2, iterations=3, area='soft'),
    ),
    losses=dict(transport=dict(weight=1.0), overlap=dict(weight=1.0)),
    valid=dict(share_threshold=0.3, area_threshold=0.03, similarity_threshold=0.5),
    views=dict(gray_prob=0.0, jitter=(0.2, 0.2, 0.2, 0.05), sigma=(0.1, 0.6)),
)
tracker = dict(backbone=dict(drop_path_rate=0.0))
init = dict(
    backbone='work_dirs/timet_vittiny8_spriteworld/iter_160.pth', source='densecorr'
)
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
        groups=dict(
            encoder=dict(patterns=['backbone.*'], lr_mult=0.01),
            # its inputs are sums of products, some 70 times as large as the tokens
            transport=dict(patterns=['head.transport_proj.*'], lr_mult=0.02),
        ),
        no_decay_1d=True,
    ),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=400)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', end=0.1))],
    )
)
_ema = dict(type='EMATeacherHook', ema_decay=0.97)
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
        interval=100,
        unit='iter',
    ),
]
validation = dict(
    tasks=['spriteworld'], interval=200, unit='iter', best='spriteworld/J&F-Mean'
)
