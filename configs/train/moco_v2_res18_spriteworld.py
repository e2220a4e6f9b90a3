"""MoCo v2 ResNet-18 on frames of generated clips: minutes on a CPU, nothing to
download."""

_base_ = [
    '../_base_/models/res18_s8.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='MoCoV2',
    backbone=dict(strides=(1, 2, 2, 2), out_indices=(3,)),
    loss=dict(type='InfoNCELoss', temperature=0.2),
    queue_length=1024,
)
# evaluation takes layer3, at stride 8
tracker = dict(backbone=dict(strides=(1, 2, 1, 1), out_indices=(2,)))
_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=32,  # images of each process
    num_workers=1,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='VFSSampler', num_frames=1, num_clips=1),  # any frame
        clips_per_video=8,
        seed=0,
        pipeline=[
            dict(type='ClipRepeat', times=2),
            dict(
                type='ClipRandomResizedCrop', size=96, area=(0.2, 1.0), per_frame=True
            ),
            dict(
                type='ClipColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1,
                prob=0.8,
                per_frame=True,
            ),
            dict(type='ClipRandomGray', prob=0.2, per_frame=True),
            dict(
                type='ClipGaussianBlur',
                sigma=(0.1, 2.0),
                per_frame=True,
                decide_per_frame=True,
            ),
            dict(type='ClipRandomFlip', per_frame=True),
            dict(type='PackClip'),
        ],
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=120)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine'))],
    )
)
_ema = dict(type='EMATeacherHook', ema_decay=0.99, buffers='keep')
custom_hooks = [
    dict(_ema, student='backbone', teacher='teacher.backbone'),
    dict(_ema, student='head', teacher='teacher.head'),
    dict(type='CollapseMonitorHook', watch=dict(feature_std=0.02)),
]
validation = dict(
    tasks=['spriteworld'], interval=60, unit='iter', best='spriteworld/J&F-Mean'
)
