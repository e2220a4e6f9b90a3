# YouTube-VOS without training: the training videos with crc32(name) % 5 == 0, since the
# labels of the others are not public; objects become their categories.
task_video_cluster_ytvos = dict(
    task='video_cluster',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(type='YouTubeVOSDataset', year=2018, split='train'),
        num_frames=4,  # of every video, drawn by its name and the seed; None: all
        seed=0,
        labels='categories',
        fold=(5, 0),
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
