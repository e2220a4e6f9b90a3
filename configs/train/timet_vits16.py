"""TimeT ViT-S/16 on YouTube-VOS 2018, from DINO's weights, as published.

Options, as --cfg-options:
  init.backbone=PATH                         DINO's weights somewhere else; an https
                                             address fetches them
  train_dataloader.dataset.list_file=PATH    videos of a list of your own
  train_dataloader.dataset.without_fold=None     all training videos
  train_dataloader.dataset.pipeline.0.only_last=False    all four changes of colours
  train_dataloader.dataset.sampler.mode=dense    consecutive frames
  model.queue_length=16384
  model.mask=0.65                            only patches that the class token attends to
  model.loss.assign_frames=all               balance the patches of all frames
  model.loss.carry.radius=0                  no window
  validation.tasks=[voc_cluster] validation.best=voc_cluster/dataset-classes
                                             Pascal VOC, as published
  validation=None
An EMA teacher: timet_vits16_teacher.py. The authors' later version: timet_vits16_v2.py.
"""

_base_ = [
    '../_base_/models/timet_vits16.py',
    '../_base_/datasets/timet_clips.py',
    '../_base_/protocols/timet.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='TimeT',
    head=dict(type='MLPHead', channels=(1024, 1024, 512, 256)),
    num_prototypes=200,
    loss=dict(
        type='TimeTLoss',
        temperature=0.1,
        epsilon=0.05,
        iterations=10,
        assign_frames='first',
        carry=dict(num_frames=7, radius=6, topk=5, temperature=0.1),
    ),
    unfrozen=('blocks.10.', 'blocks.11.'),
    teacher=False,
    queue_length=0,
    mask=None,
)
init = dict(
    backbone='data/weights/dino_deitsmall16_pretrain.pth',
    source='dino',
    address='https://dl.fbaipublicfiles.com/dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth',
)
train_dataloader = dict(
    dataset=dict(data='ytvos', split='2018/train', without_fold=(5, 0))
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(
        type='AdamW', lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.04
    ),
    paramwise_cfg=dict(
        groups=dict(backbone=dict(patterns=['backbone.*'], lr_mult=0.1)),
        no_decay_1d=True,
    ),
    clip_grad=None,
    accumulative_counts=1,
)
auto_scale_lr = dict(base_batch_size=128)
train_cfg = dict(max_epochs=100)
default_hooks = dict(
    checkpoint=dict(interval=4),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(target='lr', schedule=dict(type='cosine')),
            dict(target='weight_decay', schedule=dict(type='cosine', end=10.0)),
        ],
    ),
)
custom_hooks = [
    dict(type='UnitRowsHook', names=['prototypes.weight']),
    dict(type='CollapseMonitorHook', watch=dict(cluster_share=0.02, feature_std=0.02)),
]
# The training videos with crc32(name) % 5 == 0, which training leaves out.
validation = dict(
    tasks=['video_cluster_ytvos'],
    interval=4,
    unit='epoch',
    best='video_cluster_ytvos/clip-classes',
    options={
        'test_dataset': dict(root=None),
        'test_evaluator.0.units': ['clip', 'dataset'],
        'test_evaluator.0.num_clusters': ['classes'],
    },
)
