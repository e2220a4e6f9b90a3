"""Spa-then-Temp ResNet-18 on generated clips: minutes on a CPU, nothing to download.

The first step is moco_v2_res18_spriteworld.py; its checkpoint goes in as
  --cfg-options init=PATH teacher=PATH
"""

_base_ = [
    '../_base_/models/res18_d8.py',
    '../_base_/datasets/spriteworld_pairs.py',
    '../_base_/protocols/spa_then_temp.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='SpaThenTemp',
    backbone=dict(strides=(1, 2, 2, 4), out_indices=(1, 2, 3)),
    teacher=dict(
        backbone=dict(
            type='ResNet', depth=18, strides=(1, 2, 2, 2), out_indices=(3,), pool='max'
        ),
        inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ),
    radii=(6, 3),
)
init = None
teacher = None
# evaluation takes layer3, at stride 8
tracker = dict(backbone=dict(strides=(1, 2, 2, 1), out_indices=(2,)))
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',  # leaves the teacher out
    optimizer=dict(type='Adam', lr=5e-5, betas=(0.9, 0.999)),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=120)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', end=0.001))],
    )
)
validation = dict(
    tasks=['spriteworld'], interval=60, unit='iter', best='spriteworld/J&F-Mean'
)
