"""Patches on Squares: evaluated by the protocol nearest_patch, trained by SamePlace."""

custom_imports = dict(imports=['learning', 'squares'])
default_scope = 'densecorr'
model = dict(
    type='SamePlace',  # evaluation takes its backbone and inputs
    backbone=dict(type='Patches'),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    loss=dict(type='PlaceContrastLoss', temperature=0.1),
)
protocol = dict(type='nearest_patch')
task_squares = dict(
    task='squares',
    test_dataset=dict(type='Squares', num_videos=2),
    test_evaluator=[dict(type='PixelAccuracy')],
)

pipeline = [dict(type='ClipDim', darkest=0.5), dict(type='PackClip')]
train_dataloader = dict(
    batch_size=4, dataset=dict(type='SquareClips', pipeline=pipeline)
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
train_cfg = dict(max_iters=2)
validation = dict(tasks=['squares'], best='squares/accuracy')
default_hooks = dict(checkpoint=dict(type='TrainCheckpointHook'))
