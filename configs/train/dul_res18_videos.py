"""DUL ResNet-18 on a folder of videos of your own, for an hour on a CPU.

The folder holds video files, or folders of frames, at any depth:
  --cfg-options train_dataloader.dataset.root=my/videos
Its crops are smaller than the published ones and its rate higher; those are in
dul_res18_trackingnet.py, which takes the same root (with data=None split=None).
"""

_base_ = [
    '../_base_/models/dul_res18.py',
    '../_base_/datasets/dul_clips.py',
    '../_base_/protocols/dul.py',
    '../_base_/tasks/propagation.py',
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
    batch_size=8,
    num_workers=1,
    dataset=dict(
        root='data/videos',
        sampler=dict(num_frames=3, gap=10),
        clips_per_video=64,
        pipeline=[
            dict(type='ClipResize', short_side=(192, 240), resizer='torch_antialias'),
            dict(type='ClipRandomCrop', size=128),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(
                type='ClipSecondView',
                zoom=(0.5, 1.0),
                flip_prob=0.5,
                resizer='torch_antialias',
            ),
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
train_cfg = dict(max_iters=550)
default_hooks = dict(
    checkpoint=dict(interval=50, unit='iter'),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine'))],
    ),
)
