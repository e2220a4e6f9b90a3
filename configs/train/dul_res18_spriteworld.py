"""DUL ResNet-18 on generated clips: minutes on a CPU by --amp, nothing to download."""

_base_ = [
    '../_base_/models/dul_res18.py',
    '../_base_/datasets/spriteworld_clips.py',
    '../_base_/protocols/dul.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='DUL',
    backbone=dict(outputs=('key',)),
    grid=8,
    pair_grid=4,
    loss=dict(type='DULLoss', temperature=0.05),
    cross_view_weight=0.1,
)
tracker = dict(backbone=dict(outputs=('res4',)))
train_dataloader = dict(
    batch_size=6,
    dataset=dict(
        sampler=dict(
            _delete_=True, type='DULSampler', num_frames=3, gap=2, permute=True
        ),
        pipeline=[
            dict(type='ClipRandomCrop', size=128),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(type='ClipSecondView', zoom=(0.5, 1.0), flip_prob=0.5),
            dict(type='PackClip', keys=['theta'], frame_keys=['second_frames']),
        ],
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999), weight_decay=5e-4),
    paramwise_cfg=dict(
        groups=dict(biases=dict(patterns=['*.bias'], lr_mult=2, decay_mult=0))
    ),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=260)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine'))],
    )
)
validation = dict(
    tasks=['spriteworld'], interval=130, unit='iter', best='spriteworld/J&F-Mean'
)
