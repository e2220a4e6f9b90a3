# Generated clips, drawn in memory: patches of later frames get their labels from the
# first frames of all clips. No data is needed.
_clips = dict(
    type='SpriteWorld',
    preset=['single', 'occlusion', 'fast', 'light'],
    num_clips=8,
    num_frames=6,
    seed=7000,  # training takes 10000 and more
)
task_retrieval_spriteworld = dict(
    task='retrieval',  # the part of the protocol that is used
    default_protocol='hummingbird',
    test_model='FrameFeatures',
    test_loop='FeatureTestLoop',
    test_dataset=dict(
        type='TrainAndTest',
        train=dict(
            type='AugmentedImages',
            dataset=dict(type='VideoFrames', dataset=_clips, indices=[0]),
            epochs=2,
            seed=0,
        ),
        test=dict(type='VideoFrames', dataset=_clips, indices=[2, 5]),
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='RetrievalMetric', seeds=[0], num_classes=4)],
)
