"""CropMAE (Eymael et al., ECCV 2024): CRW's script on DAVIS resized to 480 x 880.

T-CoRe and ToBo evaluate with the same code. Labels are resized, too: the scores are not
those of DAVIS at its own size. Unverified: read in the source, not replayed.
"""

protocol = dict(
    name='cropmae',
    revision=1,
    verified=False,
    published_stride=16,
    source='alexandre-eymael/CropMAE 20e28cc, downstreams/propagation/start.py',
    davis=dict(
        reader='pillow',
        size=dict(rounding='nearest'),
        resizer='opencv',
        labels=dict(
            encode='bilinear',
            decode='bilinear',
            decode_size='image',
            first_output='decoded',
        ),
        context=dict(num_frames=20, first='global', repeat_first=True),
        window=dict(shape='circle', radius=20, inclusive=False),
        select=dict(topk=7, temperature=0.7),
        data=dict(type='ResizedDAVISDataset', resize=(480, 880)),
    ),
)
# not published by CropMAE: its settings for DAVIS, at the frames' own size
protocol['ytvos'] = {**protocol['davis'], 'data': {}}
