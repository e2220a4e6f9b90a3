# DAVIS 2017 val, semi-supervised: the first labels are given, J and F are measured.
task_davis = dict(
    task='davis',  # the part of the protocol that is used
    test_dataset=dict(
        type='DAVISDataset',
        year=2017,
        split='val',
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='VOSMetric', task='semi-supervised')],
)
