# Generated clips of all kinds of motion, drawn in memory: a 1x1 convolution learns to tell
# objects from background. No data is needed.
task_video_linear_spriteworld = dict(
    task='video_linear',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='TrainAndTest',
        train=dict(
            type='VideoFrames',
            dataset=dict(
                type='SpriteWorld',
                preset=['single', 'occlusion', 'fast', 'light'],
                num_clips=12,
                num_frames=6,
                seed=7100,
            ),
            num_frames=3,
            seed=0,
            labels='foreground',
        ),
        test=dict(
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
            labels='foreground',
        ),
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='LinearProbeMetric', seeds=[0, 1])],
)
