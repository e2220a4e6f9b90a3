# SegTrack-v2: one foreground that nobody named, scored on annotated frames. In both
# scores the annotation chooses.
task_discovery_segtrack = dict(
    task='single_object',  # the part of the protocol that is used
    default_protocol='smtc_discovery',
    test_model='ObjectCandidates',
    test_loop='DiscoveryLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(type='SegTrackDataset'),
        num_frames=None,  # all that have labels
        labels='foreground',
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='SingleObjectMetric')],
)
