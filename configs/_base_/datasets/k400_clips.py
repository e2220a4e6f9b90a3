# Kinetics-400 as CRW trains on it: 4 frames at 8 a second, patches of every frame.
train_dataloader = dict(
    batch_size=20,  # of each process
    num_workers=8,
    dataset=dict(
        type='VideoClips',
        data='kinetics400',
        split='train',
        root=None,
        sampler=dict(type='FixedRateSampler', num_frames=4, rate=8),
        clips_per_video=5,
        seed=0,
        pipeline=[
            dict(
                type='ClipRandomResizedCrop',
                size=256,
                area=(0.8, 0.95),
                ratio=(0.7, 1.3),
                per_frame=True,
                resizer='pillow',
            ),
            dict(
                type='PatchGrid',
                patch_size=64,
                stride=32,
                area=(0.7, 0.9),
                ratio=(3 / 4, 4 / 3),
                flip_prob=0.0,
                jitter=dict(),
            ),
            dict(type='PackClip'),
        ],
    ),
)
