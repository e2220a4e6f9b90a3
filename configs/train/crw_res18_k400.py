"""CRW ResNet-18 on Kinetics-400: patch nodes, the command of the released README.

Options of the release, as --cfg-options:
  model.edge_dropout=0 model.feature_dropout=0.1 model.head.depth=1 (-1: no head)
  model.loss.temperature=0.07 model.loss.flip=True
  model.loss.shared_drops=False       edges dropped as the paper says
  model.backbone.padding_mode=zeros   the release's scratch_zeropad
  train_dataloader.dataset.sampler.num_frames=8
  train_dataloader.dataset.pipeline.1.flip_prob=0.5
  new:train_dataloader.dataset.pipeline.1.jitter.brightness=0.1   and contrast,
    saturation: the release's jitter
Nodes that are positions of a feature map: crw_res18_k400_image.py.
"""

_base_ = [
    '../_base_/models/crw_res18.py',
    '../_base_/datasets/k400_clips.py',
    '../_base_/protocols/crw.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='CRW',
    backbone=dict(out_indices=(3,)),
    train_inputs=dict(
        color='rgb', mean=(0.4914, 0.4822, 0.4465), std=(0.2023, 0.1994, 0.2010)
    ),  # of the release, which tests with ImageNet's; its author calls that a slip
    head=dict(type='ProjectionHead', out_channels=128, depth=0),
    loss=dict(type='RandomWalkLoss', temperature=0.05, shared_drops=True, flip=False),
    edge_dropout=0.1,
    feature_dropout=0.0,
)
tracker = dict(backbone=dict(out_indices=(2,)))  # evaluation takes layer3
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-4),
    clip_grad=None,
    accumulative_counts=1,
)
auto_scale_lr = dict(base_batch_size=20)
train_cfg = dict(max_epochs=25)
default_hooks = dict(
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(
                target='lr',
                schedule=dict(
                    type='multistep', milestones=[20, 30, 40], gamma=0.3, unit='epoch'
                ),
            )
        ],
    )
)
# To validate: validation = dict(tasks=['davis'], best='davis/J&F-Mean')
