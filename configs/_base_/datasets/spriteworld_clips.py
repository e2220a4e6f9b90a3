# Generated clips: 8 x 8 patches of three frames.
_train_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=4,  # of each process
    num_workers=1,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_train_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='GapSampler', num_frames=3, gap=1),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(type='ClipRandomCrop', size=152),
            dict(type='ClipRandomCrop', size=136, per_frame=True),
            dict(
                type='PatchGrid',
                patch_size=24,
                stride=16,
                jitter=dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.05),
            ),
            dict(type='PackClip'),
        ],
    ),
)
