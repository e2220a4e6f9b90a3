# Clips as DUL trains on them: 5 frames and two views of 256x256. The dataset is named by
# the config.
train_dataloader = dict(
    batch_size=16,  # of each process
    num_workers=8,
    dataset=dict(
        type='VideoClips',
        data=None,
        split=None,
        root=None,
        list_file=None,
        sampler=dict(type='DULSampler', num_frames=5, gap=10, even=False, permute=True),
        clips_per_video=1,
        seed=0,
        decode=dict(reader='pillow'),
        pipeline=[
            dict(type='ClipResize', short_side=(256, 319), resizer='pillow'),
            dict(type='ClipRandomCrop', size=256),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(
                type='ClipSecondView', zoom=(0.5, 1.0), flip_prob=0.5, resizer='pillow'
            ),
            dict(type='PackClip', keys=['theta'], frame_keys=['second_frames']),
        ],
    ),
)
