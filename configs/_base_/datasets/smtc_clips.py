# YouTube-VOS 2018 as SMTC trains on it: an epoch is 10,000 clips of 4 frames, the video
# of each drawn anew, resized to squares. Grey, jitter and blur are made on the device.
train_dataloader = dict(
    batch_size=64,  # clips of each process
    num_workers=8,
    dataset=dict(
        type='VideoClips',
        data='ytvos',
        split='2018/train',
        root=None,
        list_file=None,
        sampler=dict(type='SMTCSampler', num_frames=4, gap=4),
        clips_per_epoch=10000,
        seed=0,
        decode=dict(reader='opencv'),
        pipeline=[
            dict(type='ClipResize', size=256, resizer='opencv', exact=True),
            dict(type='PackClip'),
        ],
    ),
)
