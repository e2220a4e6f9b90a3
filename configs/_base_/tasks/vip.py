# VIP val (fine): the parts of frame 0 are given, IoU per class is measured.
task_vip = dict(
    task='vip',  # the part of the protocol that is used
    test_dataset=dict(
        type='VIPDataset',
        split='val',
        root=None,
        sequences=None,
        max_frames=None,
        annotations=None,
    ),
    test_evaluator=[dict(type='PartsMetric', num_classes=20)],
)
