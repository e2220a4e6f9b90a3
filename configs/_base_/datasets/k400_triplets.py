# Kinetics-400 as CatMAE trains on it: three frames at two gaps of 4 to 48, each cut out by
# itself, two clips of each video an epoch.
train_dataloader = dict(
    batch_size=256,  # of each process
    num_workers=8,
    dataset=dict(
        type='VideoClips',
        data='kinetics400',
        split='train',
        root=None,
        sampler=dict(type='CatMAESampler', gaps=((4, 48), (4, 48)), reverse=True),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(
                type='ClipRandomResizedCrop',
                size=224,
                area=(0.5, 1.0),
                ratio=(3 / 4, 4 / 3),
                per_frame=True,
                resizer='pillow',
                interpolation='bicubic',
            ),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(type='PackClip'),
        ],
    ),
)
