# Generated clips of all kinds of motion, drawn in memory: no data is needed.
_test_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'odd'
]  # fmt: skip
task_spriteworld = dict(
    task='davis',  # the part of the protocol that is used
    test_dataset=dict(
        type='SpriteWorld',
        preset=_test_presets,
        num_clips=16,
        num_frames=12,
        seed=7000,  # training takes 10000 and more
        root=None,
    ),
    test_evaluator=[dict(type='VOSMetric', task='semi-supervised')],
)
