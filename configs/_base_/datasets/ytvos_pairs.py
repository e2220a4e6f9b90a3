# YouTube-VOS 2018 as Spa-then-Temp trains on it: neighbouring frames of its folders,
# which have every fifth frame, cropped alike.
train_dataloader = dict(
    batch_size=16,  # of each process
    num_workers=8,
    dataset=dict(
        type='VideoClips',
        data='ytvos',
        split='2018/train',
        root=None,
        list_file=None,
        sampler=dict(type='SpaThenTempSampler', gap=1),
        clips_per_video=1,
        seed=0,
        decode=dict(reader='opencv'),
        pipeline=[
            dict(
                type='ClipRandomResizedCrop',
                size=256,
                area=(0.6, 1.0),
                ratio=(1.5, 2.0),
                tries=20,
                fallback='square',
                resizer='opencv',
            ),
            dict(type='ClipRandomFlip', prob=0.5),
            dict(type='ClipToLab'),
            dict(type='PackClip', keys=['images_lab']),
        ],
    ),
)
