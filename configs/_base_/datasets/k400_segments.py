# Kinetics-400 as VFS trains on it: a frame of each segment of a video, each cropped
# and mirrored by draws of its own. Colours stay ("nc"); with prob 0.8, 0.2 and 0.5 the
# last three transforms are those of the release's variant with colours.
train_dataloader = dict(
    batch_size=32,  # videos of each process
    num_workers=8,
    dataset=dict(
        type='VideoClips',
        data='kinetics400',
        split='train',
        root=None,
        sampler=dict(type='VFSSampler', num_frames=8),
        clips_per_video=2,
        seed=0,
        pipeline=[
            dict(
                type='ClipRandomResizedCrop',
                size=224,
                area=(0.2, 1.0),
                fallback='square',
                per_frame=True,
                resizer='opencv',
            ),
            dict(type='ClipRandomFlip', prob=0.5, per_frame=True),
            dict(
                type='ClipColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1,
                prob=0.0,
                per_frame=True,
            ),
            dict(type='ClipRandomGray', prob=0.0, per_frame=True),
            dict(
                type='ClipGaussianBlur',
                sigma=(0.1, 0.2),  # as released; (0.1, 2.0) in SimSiam
                prob=0.0,
                per_frame=True,
                decide_per_frame=True,
            ),
            dict(type='PackClip'),
        ],
    ),
)
