# JHMDB split 1, test clips: the joints of frame 0 are given, PCK is measured. The
# options of the metric are those of the protocol (its part jhmdb).
task_jhmdb = dict(
    task='jhmdb',  # the part of the protocol that is used
    test_dataset=dict(
        type='JHMDBDataset',
        split='val',
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='PCKMetric')],
)
