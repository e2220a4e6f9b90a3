"""CRW with a small ViT on generated clips: what timet_vittiny8_spriteworld.py tunes."""

_base_ = [
    '../_base_/models/vittiny8_spriteworld.py',
    '../_base_/datasets/spriteworld_clips.py',
    '../_base_/protocols/crw.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
    '../_base_/train_runtime.py',
]
model = dict(
    type='CRW',
    head=dict(type='ProjectionHead', depth=0),
    loss=dict(type='RandomWalkLoss', temperature=0.07),
    edge_dropout=0.1,
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(
        pipeline=[
            dict(type='ClipRandomCrop', size=152),
            dict(type='ClipRandomCrop', size=136, per_frame=True),
            dict(
                type='PatchGrid',
                patch_size=24,
                stride=16,
                jitter=dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05),
            ),
            dict(type='PackClip'),
        ]
    ),
)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05),
    clip_grad=None,
    accumulative_counts=1,
)
train_cfg = dict(max_iters=300)
default_hooks = dict(
    checkpoint=dict(interval=100, unit='iter'),
    schedules=dict(
        type='ScheduledValuesHook',
        values=[dict(target='lr', schedule=dict(type='cosine', warmup=20))],
    ),
)
validation = dict(
    tasks=['video_cluster_spriteworld'],
    interval=300,
    unit='iter',
    best='video_cluster_spriteworld/clip-10',
    options={
        'test_evaluator.0.units': ['clip'],
        'test_evaluator.0.num_clusters': [10],
        'test_evaluator.0.seeds': [1],
    },
)
