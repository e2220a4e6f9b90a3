# Generated clips of all kinds of motion, drawn in memory: no data is needed.
task_video_cluster_spriteworld = dict(
    task='video_cluster',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(
            type='SpriteWorld',
            preset=['single', 'occlusion', 'fast', 'light'],
            num_clips=8,
            num_frames=6,
            seed=7000,  # training takes 10000 and more
        ),
        num_frames=3,
        seed=0,
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[
        dict(
            type='ClusterMetric',
            units=['frame', 'clip'],
            num_clusters=['classes', 10],
            seeds=[1, 2],
        )
    ],
)
