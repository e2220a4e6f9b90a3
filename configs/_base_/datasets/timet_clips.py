# Clips as TimeT trains on them: 4 frames from anywhere in a video, changed and cropped
# alike, by Pillow. Several times faster: resizer='torch_antialias', and engine='opencv'
# of the three transforms of colours. The dataset is named by the config.
train_dataloader = dict(
    batch_size=128,  # clips of each process
    num_workers=10,
    dataset=dict(
        type='VideoClips',
        data=None,
        split=None,
        root=None,
        list_file=None,
        without_fold=None,
        sampler=dict(type='TimeTSampler', num_frames=4, mode='uniform', step=1),
        clips_per_video=1,
        seed=0,
        decode=dict(reader='pillow'),
        pipeline=[
            dict(
                type='ClipColorJitter',
                brightness=0.8,
                contrast=0.8,
                saturation=0.8,
                hue=0.2,
                prob=0.8,
                only_last=True,  # one of the four, as in the official code
                engine='pillow',
            ),
            dict(type='ClipRandomGray', prob=0.2, engine='pillow'),
            dict(
                type='ClipGaussianBlur',
                sigma=(0.1, 2.0),
                prob=0.5,
                per_frame=True,
                engine='pillow',
            ),
            dict(type='ClipResize', short_side=224, resizer='pillow'),
            dict(
                type='ClipRandomResizedCrop',
                size=224,
                area=(0.4, 1.0),
                ratio=(3 / 4, 4 / 3),
                tries=10,
                fallback='central',
                resizer='pillow',
            ),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(type='PackClip'),
        ],
    ),
)
