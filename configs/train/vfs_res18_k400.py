"""VFS ResNet-18 on Kinetics-400, "1xNx8": r18_nc_sgd_cos_100e_r2_1xNx8_k400 of the
release. As published with 2 processes: 64 videos of 8 frames a step.

With changed colours (the release's r18_sgd_cos_100e_r2_1xNx8_k400), as --cfg-options:
  train_dataloader.dataset.pipeline.2.prob=0.8   colour jitter
  train_dataloader.dataset.pipeline.3.prob=0.2   grey
  train_dataloader.dataset.pipeline.4.prob=0.5   blur
  train_dataloader.dataset.pipeline.4.sigma=[0.1,2.0]   SimSiam's, not the release's
"""

_base_ = [
    '../_base_/models/vfs_res18.py',
    '../_base_/datasets/k400_segments.py',
    '../_base_/protocols/vfs.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='VFS',
    backbone=dict(strides=(1, 2, 2, 2), out_indices=(3,), zero_init_residual=True),
    head=dict(type='SimSiamHead', channels=512, predictor_channels=128),
    loss=dict(type='SimSiamLoss', intra_video=True),
)
# evaluation takes layer3, at stride 8
tracker = dict(backbone=dict(strides=(1, 2, 1, 1), out_indices=(2,)))
sync_bn = True
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),
    clip_grad=None,
    accumulative_counts=1,
)
auto_scale_lr = dict(base_batch_size=64)
train_cfg = dict(max_epochs=100)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine'))],
    )
)
custom_hooks = [dict(type='CollapseMonitorHook', watch=dict(feature_std=0.1))]
# To validate: validation = dict(tasks=['davis'], best='davis/J&F-Mean')
