"""SMTC ViT-S/16 on YouTube-VOS 2018, from DINO's weights: the relaxed recipe since
February 2024, that of the released weights; 4 processes of 32 clips.

The encoder rests for 3000 steps, and its teacher for ever: that one keeps DINO's
weights. By its authors 7000 steps suffice. Options: those of smtc_vits16.py, and
  custom_hooks.0.ema_decay=0.999                the teacher's encoder follows, too
"""

_base_ = 'smtc_vits16.py'
model = dict(
    head=dict(slots=dict(area='hard', area_threshold=0.3)),
    valid=dict(share_threshold=0.3),
)
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(optimizer=dict(lr=2e-5))
train_cfg = dict(max_iters=10000)
_rate = dict(type='cosine', end=0.1, length=9984)
_rest = dict(type='piecewise', milestones=[3000], values=[0.0, 1.0])
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(target='lr', groups='default', schedule=_rate),
            dict(
                target='lr',
                groups='encoder',
                schedule=dict(type='product', schedules=[_rate, _rest]),
            ),
        ],
    ),
)
custom_hooks = [
    dict(
        type='EMATeacherHook',
        student='backbone',
        teacher='teacher.backbone',
        ema_decay=1.0,  # a copy of the weights that training starts from
    ),
    dict(
        type='EMATeacherHook', student='head', teacher='teacher.head', ema_decay=0.999
    ),
    dict(type='CollapseMonitorHook', watch=dict(feature_std=0.02)),
]
