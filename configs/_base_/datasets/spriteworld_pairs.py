# Generated clips: two neighbouring frames, cropped alike to 128 x 128.
_train_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=4,  # of each process
    num_workers=1,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_train_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='SpaThenTempSampler', gap=1),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(
                type='ClipRandomResizedCrop',
                size=128,
                area=(0.6, 1.0),
                ratio=(0.75, 4 / 3),
                tries=20,
                fallback='square',
            ),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(type='ClipToLab'),
            dict(type='PackClip', keys=['images_lab']),
        ],
    ),
)
