"""DUL ResNet-18 on Kinetics-400, from scratch, as published."""

_base_ = 'dul_res18_trackingnet.py'
train_dataloader = dict(
    dataset=dict(
        data='kinetics400',
        split='train',
        sampler=dict(even=True, permute=False),  # the anchors are in the first frame
    )
)
train_cfg = dict(max_epochs=81)
default_hooks = dict(
    schedules=dict(
        values=[
            dict(
                target='lr',
                schedule=dict(
                    type='multistep',
                    milestones=[20, 40, 60, 80],
                    gamma=0.5,
                    unit='epoch',
                ),
            )
        ]
    )
)
