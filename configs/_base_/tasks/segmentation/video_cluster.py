# DAVIS 2017 val without training: frames of videos are clustered by their features,
# clusters are matched with objects per frame, per clip and over the whole set.
task_video_cluster = dict(
    task='video_cluster',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(type='DAVISDataset', year=2017, split='val'),
        num_frames=4,  # of every video, drawn by its name and the seed; None: all
        seed=0,
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[
        dict(
            type='ClusterMetric',
            units=['frame', 'clip', 'dataset'],
            num_clusters=['classes', 10],
            seeds=[1],
        )
    ],
)
