# DAVIS 2016 val: one object per video.
task_davis16 = dict(
    task='davis',  # the part of the protocol that is used
    test_dataset=dict(
        type='DAVISDataset',
        year=2016,
        split='val',
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='VOSMetric', task='semi-supervised', binary=True)],
)
