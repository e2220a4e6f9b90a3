"""CRW (Jabri et al., NeurIPS 2020): the released test script of ajabri/videowalk."""

protocol = dict(
    name='crw',
    revision=1,
    published_stride=8,
    source='ajabri/videowalk 047f3f4, code/test.py; DAVIS settings of its README',
    davis=dict(
        reader='opencv',
        size=dict(rounding='nearest'),  # native where the network takes any size
        resizer='opencv',
        labels=dict(
            encode='bilinear',
            decode='bilinear',
            decode_size='image',
            first_output='decoded',
        ),
        context=dict(num_frames=20, first='global', repeat_first=True),
        window=dict(shape='circle', radius=12, inclusive=False),
        select=dict(topk=10, temperature=0.05),
    ),
    jhmdb=dict(  # videowalk issue 10
        reader='opencv',
        size=dict(fixed=(320, 320), rounding='nearest'),
        resizer='torch',  # frames are floats when they are resized
        joints=dict(
            draw='grid',
            sigma=0.5,  # cells of the grid
            background=True,
            topk=3,
            decode='grid',
            first_output='decoded',
        ),
        context=dict(num_frames=7, first='global', repeat_first=True),
        window=dict(shape='circle', radius=12, inclusive=False),
        select=dict(topk=10, temperature=0.05),
        metric=dict(skip_first=True, zero_is_lost=False),
    ),
    vip=dict(  # videowalk issue 10
        reader='opencv',
        size=dict(fixed=(560, 560), rounding='nearest'),
        resizer='torch',  # frames are floats when they are resized
        labels=dict(
            encode='bilinear',
            label_resize='nearest',  # 'bilinear' is the released code's, which mixes ids
            decode='bilinear',
            decode_size='input',
            first_output='decoded',
        ),
        context=dict(num_frames=4, first='global', repeat_first=True),
        window=dict(shape='circle', radius=12, inclusive=False),
        select=dict(topk=10, temperature=0.05),
    ),
)
# not published by CRW: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
