"""DUL ResNet-18 on TrackingNet's training videos, from scratch, as published."""

_base_ = 'dul_res18_ytvos.py'
train_dataloader = dict(
    dataset=dict(
        data='trackingnet',
        split='train',
        sampler=dict(gap=10),
        pipeline=[
            dict(type='ClipResize', short_side=256, resizer='pillow'),
            dict(type='ClipCenterCrop', size=256),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(
                type='ClipSecondView', zoom=(0.5, 1.0), flip_prob=0.5, resizer='pillow'
            ),
            dict(type='PackClip', keys=['theta'], frame_keys=['second_frames']),
        ],
    )
)
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4)
)
train_cfg = dict(max_epochs=251)
default_hooks = dict(
    checkpoint=dict(interval=2),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(
                target='lr',
                schedule=dict(
                    type='multistep',
                    milestones=list(range(20, 251, 20)),
                    gamma=0.9,
                    unit='epoch',
                ),
            )
        ],
    ),
)
validation = dict(interval=2)
