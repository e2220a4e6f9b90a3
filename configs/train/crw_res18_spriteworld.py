"""CRW ResNet-18 on generated clips: minutes on a CPU, nothing to download."""

_base_ = [
    '../_base_/models/crw_res18.py',
    '../_base_/datasets/spriteworld_clips.py',
    '../_base_/protocols/crw.py',
    '../_base_/tasks/propagation.py',
    '../_base_/tasks/spriteworld.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='CRW',
    head=dict(type='ProjectionHead', depth=0),
    loss=dict(type='RandomWalkLoss', temperature=0.07),
    edge_dropout=0.1,
)
unused_parameters = ['backbone.layer4.*']  # layer3 is trained and evaluated
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4),
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
validation = dict(
    tasks=['spriteworld'], interval=60, unit='iter', best='spriteworld/J&F-Mean'
)
