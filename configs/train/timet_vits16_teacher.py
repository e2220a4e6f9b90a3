"""TimeT ViT-S/16 on YouTube-VOS 2018 with an EMA teacher that assigns the first frame.

The teacher follows by 0.995 at the start and not at all at the end. The official script
has old and new exchanged, so that its teacher is the student; as --cfg-options:
  default_hooks.schedules.values.2.schedule.start=0.005
  default_hooks.schedules.values.2.schedule.end=0
"""

_base_ = 'timet_vits16.py'
model = dict(teacher=True)
default_hooks = dict(
    schedules=dict(
        values=[
            dict(target='lr', schedule=dict(type='cosine')),
            dict(target='weight_decay', schedule=dict(type='cosine', end=10.0)),
            dict(
                target='EMATeacherHook.ema_decay',
                schedule=dict(type='cosine', start=0.995, end=1.0, ahead=1),
            ),
        ]
    )
)
_parts = ['backbone', 'head', 'prototypes']
custom_hooks = [
    dict(type='UnitRowsHook', names=['prototypes.weight']),
    dict(
        type='EMATeacherHook',
        student=_parts,
        teacher=[f'teacher.{part}' for part in _parts],
    ),
    dict(type='UnitRowsHook', names=['teacher.prototypes.weight'], priority='NORMAL'),
    dict(type='CollapseMonitorHook', watch=dict(cluster_share=0.02, feature_std=0.02)),
]
