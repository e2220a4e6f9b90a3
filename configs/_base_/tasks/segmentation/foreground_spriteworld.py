# Generated clips of all kinds of motion, drawn in memory: clusters that lie where the class
# token looks are foreground. No data is needed. The backbone has to be a ViT.
_world = dict(
    type='SpriteWorld', preset=['single', 'occlusion', 'fast', 'light'], num_frames=6
)
_frames = dict(type='VideoFrames', num_frames=3, seed=0, labels='foreground')
task_foreground_spriteworld = dict(
    task='video_foreground',  # the part of the protocol that is used
    default_protocol='full_size',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='TrainAndTest',
        # training takes seeds from 10000 on
        train=dict(**_frames, dataset=dict(**_world, num_clips=12, seed=7100)),
        test=dict(**_frames, dataset=dict(**_world, num_clips=8, seed=7000)),
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='ForegroundMetric', seeds=[1, 2])],
)
