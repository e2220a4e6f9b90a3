"""SFC (Hu et al., ECCV 2022): CRW's script with settings of its own.

Unverified: settings as reported, not replayed.
"""

protocol = dict(
    name='sfc',
    revision=1,
    verified=False,
    published_stride=8,
    source='Alxead/SFC, settings of its README',
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
        window=dict(shape='circle', radius=15, inclusive=False),
        select=dict(topk=15, temperature=0.1),
    ),
)
# not published by SFC: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
