"""Spa-then-Temp (Li & Liu, CVPR 2023), stride 8: VanillaTracker with a square."""

protocol = dict(
    name='spa_then_temp',
    revision=1,
    published_stride=8,
    source='qianduoduolr/Spa-then-Temp 4c94362, test_cfg_davis',
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
        # neighbor_range 24: |dy|, |dx| <= 12
        window=dict(shape='square', radius=12, inclusive=True),
        select=dict(topk=10, temperature=0.07),
    ),
    jhmdb=dict(
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
        # neighbor_range 10: |dy|, |dx| <= 5
        window=dict(shape='square', radius=5, inclusive=True),
        select=dict(topk=10, temperature=0.07),
        metric=dict(skip_first=False, zero_is_lost=True),
    ),
    vip=dict(
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
        # neighbor_range 32: |dy|, |dx| <= 16
        window=dict(shape='square', radius=16, inclusive=True),
        select=dict(topk=10, temperature=0.07),
    ),
)
# not published by Spa-then-Temp: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
