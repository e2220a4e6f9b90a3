"""DUL ResNet-18 on YouTube-VOS 2018, from scratch, as published.

Options, as --cfg-options:
  train_dataloader.dataset.list_file=PATH       frames of a list, such as the authors'
  train_dataloader.dataset.sampler.permute=False    anchors from the earliest frame
  model.block_bn=True
  validation=None                               no validation: only the newest weights
  validation.options.test_dataset.sequences=[a,b,c,d,e]     some of DAVIS' sequences
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
    block_bn=False,
)
tracker = dict(backbone=dict(outputs=('res4',)))
train_dataloader = dict(
    dataset=dict(data='ytvos', split='2018/train', sampler=dict(gap=2))
)  # every fifth frame is there, so a gap of 2 is one of 10
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999), weight_decay=5e-4),
    paramwise_cfg=dict(
        groups=dict(biases=dict(patterns=['*.bias'], lr_mult=2, decay_mult=0))
    ),
    clip_grad=None,
    accumulative_counts=1,
)
auto_scale_lr = dict(base_batch_size=16)
train_cfg = dict(max_epochs=501)  # the official loop includes its last number, 500
default_hooks = dict(
    checkpoint=dict(interval=10),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(
                target='lr',
                schedule=dict(
                    type='multistep',
                    milestones=[100, 200, 300, 400, 500],
                    gamma=0.5,
                    unit='epoch',
                ),
            )
        ],
    ),
)
# Snapshots of the best weights, by the better of two layers. The published ones were
# chosen on five sequences of DAVIS-2017 val which are not known; these are all 30.
validation = dict(
    tasks=[
        dict(name=layer, task='davis', tracker=dict(backbone=dict(outputs=(layer,))))
        for layer in ('key', 'res4')
    ],
    interval=10,
    unit='epoch',
    best=['key/J&F-Mean', 'res4/J&F-Mean'],
    max_keep=3,
    options=dict(test_dataset=dict(sequences=None)),
)
