# Generated clips of all kinds of motion, drawn in memory: objects that nobody named, by
# two scores side by side. No data is needed.
task_discovery_spriteworld = dict(
    task='video_discovery',  # the part of the protocol that is used
    default_protocol='smtc_discovery',
    test_model='ObjectCandidates',
    test_loop='DiscoveryLoop',
    test_dataset=dict(
        type='VideoFrames',
        dataset=dict(
            type='SpriteWorld',
            preset=['single', 'occlusion', 'fast', 'light'],
            num_clips=8,
            num_frames=6,
            seed=7000,  # training takes 10000 and more
        ),
        num_frames=None,  # all
        root=None,
        sequences=None,
        max_frames=None,
    ),
    test_evaluator=[dict(type='DiscoveryMetric')],
)
