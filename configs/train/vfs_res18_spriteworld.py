"""VFS ResNet-18 on generated clips: minutes on a CPU, nothing to download."""

_base_ = [
    '../_base_/models/vfs_res18.py',
    '../_base_/protocols/vfs.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='VFS',
    backbone=dict(strides=(1, 2, 2, 2), out_indices=(3,), zero_init_residual=True),
    head=dict(type='SimSiamHead'),
    loss=dict(type='SimSiamLoss', intra_video=True),
)
# evaluation takes layer3, at stride 8
tracker = dict(backbone=dict(strides=(1, 2, 1, 1), out_indices=(2,)))
_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=8,  # videos of each process
    num_workers=1,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='VFSSampler', num_frames=8),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(
                type='ClipRandomResizedCrop', size=96, area=(0.2, 1.0), per_frame=True
            ),
            dict(type='ClipRandomFlip', per_frame=True),
            dict(type='PackClip'),
        ],
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),
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
custom_hooks = [dict(type='CollapseMonitorHook', watch=dict(feature_std=0.1))]
validation = dict(
    tasks=['spriteworld'], interval=60, unit='iter', best='spriteworld/J&F-Mean'
)
