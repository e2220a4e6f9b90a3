"""VFS ResNet-50 on Kinetics-400, "1xNx2": r50_nc_sgd_cos_100e_r5_1xNx2_k400 of the
release. As published with 8 processes: 256 videos of 2 frames a step. Changed colours: as
in vfs_res18_k400.py."""

_base_ = [
    '../_base_/models/vfs_res50.py',
    '../_base_/datasets/k400_segments.py',
    '../_base_/protocols/vfs_res50.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='VFS',
    backbone=dict(strides=(1, 2, 2, 2), out_indices=(3,), zero_init_residual=True),
    head=dict(type='SimSiamHead', channels=2048, predictor_channels=512),
    loss=dict(type='SimSiamLoss', intra_video=False),
)
# evaluation takes layer3, at stride 8
tracker = dict(backbone=dict(strides=(1, 2, 1, 1), out_indices=(2,)))
sync_bn = True
train_dataloader = dict(dataset=dict(sampler=dict(num_frames=2), clips_per_video=5))
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4),
    clip_grad=None,
    accumulative_counts=1,
)
auto_scale_lr = dict(base_batch_size=256)
train_cfg = dict(max_epochs=100)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine'))],
    )
)
custom_hooks = [dict(type='CollapseMonitorHook', watch=dict(feature_std=0.1))]
