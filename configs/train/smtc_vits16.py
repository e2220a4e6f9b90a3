"""SMTC ViT-S/16 on YouTube-VOS 2018, from DINO's weights: the strict recipe of the
first release (September 2023), 8 processes of 64 clips.

Options, as --cfg-options:
  init.backbone=PATH                         DINO's weights from a file
  train_dataloader.dataset.root=my/videos train_dataloader.dataset.data=None \
    train_dataloader.dataset.split=None      any folder of videos
  train_dataloader.dataset.sampler.gap=2 train_dataloader.dataset.sampler.num_frames=6
  model.head.slots.num_slots=8 model.head.slots.num_instances=6
  model.head.slots.iterations=5
  train_dataloader.dataset.pipeline.0.size=320 model.head.grid=[20,20]
  model.head.slots.reparameterized=True         Gaussians learn from stage 2, too
  model.views.sigma_per_clip=True               a blur of its own for every view
The relaxed recipe, faster and that of the released weights: smtc_vits16_efficient.py.
"""

_base_ = [
    '../_base_/models/smtc_vits16.py',
    '../_base_/datasets/smtc_clips.py',
    '../_base_/protocols/smtc_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='SMTC',
    backbone=dict(facet='key', drop_path_rate=0.1),
    head=dict(
        grid=(16, 16),  # maps of the images in training
        slots=dict(
            num_slots=16,
            num_instances=4,
            iterations=3,
            area='soft',
            reparameterized=False,
        ),
    ),
    losses=dict(
        transport=dict(weight=1.0, epsilon=0.05, iterations=3),
        overlap=dict(weight=1.0),
        instance=dict(weight=1.0, margin=0.5),
    ),
    valid=dict(share_threshold=0.5, area_threshold=0.2, similarity_threshold=0.5),
    views=dict(
        gray_prob=0.2,
        jitter=(0.4, 0.4, 0.4, 0.1),
        jitter_prob=0.8,
        blur_prob=0.5,
        sigma=(0.1, 2.0),
        sigma_per_clip=False,
    ),
)
# evaluation takes the tokens of the last block
tracker = dict(backbone=dict(facet='token', drop_path_rate=0.0))
init = dict(
    backbone='https://dl.fbaipublicfiles.com/dino/dino_deitsmall16_pretrain/dino_deitsmall16_pretrain.pth',
    source='dino',
)
# only the keys of the last block are used, so nothing behind them is trained
unused_parameters = [
    'backbone.model.blocks.11.attn.proj.*',
    'backbone.model.blocks.11.norm2.*',
    'backbone.model.blocks.11.mlp.*',
    'backbone.model.norm.*',
]
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(
        type='AdamW', lr=1e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.1
    ),
    paramwise_cfg=dict(
        groups=dict(encoder=dict(patterns=['backbone.*'], lr_mult=0.01)),
        no_decay_1d=True,
    ),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=100000)
default_hooks = dict(
    checkpoint=dict(interval=500, unit='iter'),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(target='lr', schedule=dict(type='cosine', end=0.1, length=99997)),
        ],
    ),
)
custom_hooks = [
    dict(
        type='EMATeacherHook',
        student='backbone',
        teacher='teacher.backbone',
        ema_decay=0.999,
    ),
    dict(
        type='EMATeacherHook', student='head', teacher='teacher.head', ema_decay=0.999
    ),
    dict(type='CollapseMonitorHook', watch=dict(feature_std=0.02)),
]
# To validate: validation = dict(tasks=['davis'], best='davis/J&F-Mean')
