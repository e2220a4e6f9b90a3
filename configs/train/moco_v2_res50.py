"""MoCo v2 ResNet-50 on ImageNet, the first step of Spa-then-Temp. As published with 8
processes: 256 images a step, 200 epochs. Evaluated by CatMAE's protocol, at stride 8."""

_base_ = [
    '../_base_/models/res50_s8.py',
    '../_base_/datasets/imagenet_views.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='MoCoV2',
    backbone=dict(strides=(1, 2, 2, 2), out_indices=(3,)),
    head=dict(type='ProjectionHead', out_channels=128, depth=1),
    loss=dict(type='InfoNCELoss', temperature=0.2),
    queue_length=65536,
    shuffle=True,
)
# evaluation takes layer3, at stride 8
tracker = dict(backbone=dict(strides=(1, 2, 1, 1), out_indices=(2,)))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4),
    clip_grad=None,
    accumulative_counts=1,
)
auto_scale_lr = dict(base_batch_size=256)
train_cfg = dict(max_epochs=200)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', whole_epochs=True))],
    )
)
_ema = dict(type='EMATeacherHook', ema_decay=0.999, buffers='keep')
custom_hooks = [
    dict(_ema, student='backbone', teacher='teacher.backbone'),
    dict(_ema, student='head', teacher='teacher.head'),
    dict(type='CollapseMonitorHook', watch=dict(feature_std=0.02)),
]
