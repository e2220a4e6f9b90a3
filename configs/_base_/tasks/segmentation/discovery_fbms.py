# FBMS-59, its 30 test videos: one foreground that nobody named, scored on annotated frames. In both
# scores the annotation chooses.
task_discovery_fbms = dict(
    task='single_object',  # the part of the protocol that is used
    default_protocol='smtc_discovery',
    test_model='ObjectCandidates',
    test_loop='DiscoveryLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(type='FBMSDataset', split='test'),
        num_frames=None,  # all that have labels
        labels='foreground',
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='SingleObjectMetric')],
)
