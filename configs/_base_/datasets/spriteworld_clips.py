# Generated clips: patches of four frames, a node each.
_train_presets = [
    'single', 'occlusion', 'articulated', 'late', 'vanishing', 'fast', 'light', 'mixed'
]  # fmt: skip
train_dataloader = dict(
    batch_size=2,  # of each process
    num_workers=1,
    dataset=dict(
        type='SpriteWorldClips',
        worlds=dict(preset=_train_presets, num_clips=64, num_frames=12, seed=10000),
        sampler=dict(type='GapSampler', num_frames=4, gap=2),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(type='ClipRandomCrop', size=128),
            dict(
                type='ClipRandomResizedCrop',
                size=112,
                area=(0.7, 0.95),
                ratio=(0.7, 1.3),
                per_frame=True,
            ),
            dict(type='PatchGrid', patch_size=32, stride=16),
            dict(type='PackClip'),
        ],
    ),
)
