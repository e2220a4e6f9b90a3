"""VFS (Xu & Wang, ICCV 2021), ResNet-18: VanillaTracker with a circle."""

protocol = dict(
    name='vfs',
    revision=1,
    published_stride=8,
    source='xvjiarui/VFS 8e055cc, test_cfg of the ResNet-18 configs',
    davis=dict(
        reader='opencv',
        size=dict(short_side=480, rounding='nearest'),
        resizer='opencv',
        labels=dict(
            encode='nearest',
            decode='bilinear',
            decode_size='image',
            stretch='channel',
            first_output='resized',
        ),
        context=dict(num_frames=20, first='windowed'),
        # neighbor_range 24: distance < 12 (36 for the published ResNet-50)
        window=dict(shape='circle', radius=12, inclusive=False),
        select=dict(topk=10, temperature=0.07),
    ),
    jhmdb=dict(  # not published by VFS: its tracker with Spa-then-Temp's sizes
        reader='opencv',
        size=dict(fixed=(320, 320), rounding='nearest'),
        resizer='opencv',
        joints=dict(
            draw='image',
            sigma=4,  # pixels of the image
            background=False,
            topk=5,
            decode='image',
            first_output='resized',
        ),
        context=dict(num_frames=20, first='windowed'),
        # neighbor_range 10: distance < 5
        window=dict(shape='circle', radius=5, inclusive=False),
        select=dict(topk=10, temperature=0.07),
        metric=dict(skip_first=False, zero_is_lost=True),
    ),
    vip=dict(  # not published by VFS: its tracker with Spa-then-Temp's sizes
        reader='opencv',
        size=dict(fixed=(560, 560), rounding='nearest'),
        resizer='opencv',
        labels=dict(
            encode='nearest',
            decode='bilinear',
            decode_size='image',
            stretch='channel',
            first_output='resized',
        ),
        context=dict(num_frames=20, first='windowed'),
        # neighbor_range 32: distance < 16
        window=dict(shape='circle', radius=16, inclusive=False),
        select=dict(topk=10, temperature=0.07),
    ),
)
# not published by VFS: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
