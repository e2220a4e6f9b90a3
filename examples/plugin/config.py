"""Patches on Squares, by the protocol nearest_patch; see docs/extend.md."""

custom_imports = dict(imports=['squares'])
default_scope = 'densecorr'
model = dict(
    type='VideoTracker',
    backbone=dict(type='Patches'),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
protocol = dict(type='nearest_patch')
task_squares = dict(
    task='squares',
    test_dataset=dict(type='Squares', num_videos=2),
    test_evaluator=[dict(type='PixelAccuracy')],
)
