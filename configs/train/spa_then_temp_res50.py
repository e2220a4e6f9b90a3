"""Spa-then-Temp ResNet-50 on YouTube-VOS 2018, the second step, as published.

The weights of the first step, such as those of moco_v2_res50.py, start the student and
are the frozen teacher:
  --cfg-options init=PATH teacher=PATH
PATH is any checkpoint of such a network: of densecorr, MoCo, DetCo in MoCo's or
torchvision's names, or torchvision:resnet50. Without a teacher its loss is left out.

Options, as --cfg-options:
  model.selection.score=entropy          -sum p log p, large where matches are uncertain
  model.selection.threshold=quantile     share of the positions of each pair; or soft
  model.losses.local.pool=sum            rows of the pooled target sum to 1
  model.losses.local.detach=False
  model.losses.distant.unit=True         the teacher's features get length 1
  model.lab=formula                      LAB of the frames on their device
"""

_base_ = [
    '../_base_/models/res50_d8.py',
    '../_base_/datasets/ytvos_pairs.py',
    '../_base_/protocols/spa_then_temp.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='SpaThenTemp',
    backbone=dict(strides=(1, 2, 2, 4), out_indices=(1, 2, 3)),
    teacher=dict(
        backbone=dict(
            type='ResNet', depth=50, strides=(1, 2, 2, 2), out_indices=(3,), pool='max'
        ),
        inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ),
    radii=(12, 6),
    selection=dict(
        type='MatchSelection', score='official', threshold='official', share=0.7
    ),
    losses=dict(
        reconstruction=dict(factor=20, weight=1),
        local=dict(weight=1000, detach=True, pool='mean'),
        distant=dict(weight=50, temperature=0.07, unit=False),
    ),
    lab='opencv',
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
auto_scale_lr = dict(base_batch_size=64)
sync_bn = True
train_cfg = dict(max_epochs=800)
_decay = dict(type='cosine', end=0.001)
_warmup = dict(type='linear', start=0.001, length=20, unit='epoch')
default_hooks = dict(
    checkpoint=dict(interval=50),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(
                target='lr', schedule=dict(type='product', schedules=[_decay, _warmup])
            )
        ],
    ),
)
