"""TimeT with a small ViT on generated clips: minutes on a CPU, nothing to download.

It begins with the weights of the random walk, which take minutes, too:
  bash tools/dist_train.sh configs/train/crw_vittiny8_spriteworld.py 1
"""

_base_ = [
    '../_base_/models/vittiny8_spriteworld.py',
    '../_base_/protocols/timet.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='TimeT',
    head=dict(type='MLPHead', channels=(128,)),  # the network has to do the work
    num_prototypes=50,
    loss=dict(type='TimeTLoss', carry=dict(num_frames=7, radius=6, topk=5)),
    unfrozen=None,
)
init = dict(
    backbone='work_dirs/crw_vittiny8_spriteworld/iter_300.pth', source='densecorr'
)
_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='TimeTSampler', num_frames=4, mode='uniform'),
        clips_per_video=4,
        seed=0,
        pipeline=[
            dict(
                type='ClipColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1,
                prob=0.8,
                only_last=True,
            ),
            dict(
                type='ClipRandomResizedCrop',
                size=112,
                area=(0.2, 0.6),
                ratio=(3 / 4, 4 / 3),
                resizer='torch_antialias',
            ),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(type='PackClip'),
        ],
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='ParamGroupsConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.04),
    paramwise_cfg=dict(no_decay_1d=True),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=160)
default_hooks = dict(
    checkpoint=dict(interval=80, unit='iter'),
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
    dict(type='CollapseMonitorHook', watch=dict(cluster_share=0.1, feature_std=0.02)),
]
validation = dict(
    tasks=['video_cluster_spriteworld'],
    interval=160,
    unit='iter',
    best='video_cluster_spriteworld/clip-10',
    options={
        'test_evaluator.0.units': ['clip'],
        'test_evaluator.0.num_clusters': [10],
        'test_evaluator.0.seeds': [1],
    },
)
