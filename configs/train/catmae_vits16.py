"""CatMAE ViT-S/16 on Kinetics-400, as published with 4 processes: 2048 clips a step.

A step has 256 clips x 4 processes x 2 accumulated. With other numbers give
--auto-scale-lr. The official training is in half precision: --amp float16.

Options, as --cfg-options:
  train_dataloader.dataset.sampler.reverse=False   no ViRe: the released configs; the
    published weights are named ViRe and have it
  train_dataloader.dataset.pipeline.0.per_frame=False   one crop for the three frames
  model.mask_ratios=[0.95,0.95] model.weights=[0.8,1.0]   of the masked frames
  model.decoder.dropout=0
"""

_base_ = [
    '../_base_/models/catmae_vits16.py',
    '../_base_/datasets/k400_triplets.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='CatMAE',
    backbone=dict(init='mae'),
    decoder=dict(
        type='CatMAEDecoder',
        channels=256,
        depth=4,
        num_heads=4,
        hidden=2048,
        dropout=0.1,
    ),
    loss=dict(type='PatchReconstructionLoss', normalize=True),
    mask_ratios=(0.95, 0.95),
    weights=(0.8, 1.0),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(
        type='AdamW', lr=1.5e-4 * 2048 / 256, betas=(0.9, 0.95), weight_decay=0.05
    ),
    paramwise_cfg=dict(no_decay_1d=True),
    clip_grad=None,
    accumulative_counts=2,
)
auto_scale_lr = dict(base_batch_size=2048)
train_cfg = dict(max_epochs=150)  # of two clips of each video
default_hooks = dict(
    checkpoint=dict(interval=10),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[
            dict(target='lr', schedule=dict(type='cosine', warmup=5, unit='epoch'))
        ],
    ),
)
# To validate: validation = dict(tasks=['davis'], best='davis/J&F-Mean')
