# DAVIS-2017-Unsupervised val: objects that nobody named, by two scores side by side.
task_discovery = dict(
    task='discovery',  # the part of the protocol that is used
    default_protocol='smtc_discovery',
    test_model='ObjectCandidates',
    test_loop='DiscoveryLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(type='DAVISDataset', year=2017, split='val', task='unsupervised'),
        num_frames=None,  # all that have labels
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='DiscoveryMetric')],
)
