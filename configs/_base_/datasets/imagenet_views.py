# ImageNet as MoCo v2 trains on it: two views of an image, drawn independently, by
# Pillow as torchvision does. Several times faster: resizer='torch_antialias', and
# engine='opencv' of the three transforms of colours.
train_dataloader = dict(
    batch_size=32,  # images of each process
    num_workers=8,
    dataset=dict(
        type='ImageClips',
        data='imagenet',
        split='train',
        root=None,
        seed=0,
        decode=dict(reader='pillow'),
        pipeline=[
            dict(type='ClipRepeat', times=2),
            dict(
                type='ClipRandomResizedCrop',
                size=224,
                area=(0.2, 1.0),
                per_frame=True,
                resizer='pillow',
            ),
            dict(
                type='ClipColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1,
                prob=0.8,
                per_frame=True,
                engine='pillow',
            ),
            dict(type='ClipRandomGray', prob=0.2, per_frame=True, engine='pillow'),
            dict(
                type='ClipGaussianBlur',
                sigma=(0.1, 2.0),
                prob=0.5,
                per_frame=True,
                decide_per_frame=True,
                engine='pillow',
            ),
            dict(type='ClipRandomFlip', prob=0.5, per_frame=True),
            dict(type='PackClip'),
        ],
    ),
)
