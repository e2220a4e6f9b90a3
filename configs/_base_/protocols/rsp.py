"""RSP (Jang et al., ICML 2024): DINO's script on DAVIS resized to 480 x 880.

The script rounds 880 down to 832, as DINO's does. Labels are resized to 480 x 880, too:
the scores are not those of DAVIS at its own size. Unverified: read in the source, not
replayed.
"""

protocol = dict(
    name='rsp',
    revision=1,
    verified=False,
    published_stride=16,
    source='huiwon-jang/RSP 53c5593, eval_video_segmentation_davis.py, its defaults',
    davis=dict(
        reader='pillow',
        size=dict(short_side=480, long_multiple=64, rounding='nearest'),
        resizer='opencv',
        labels=dict(
            encode='nearest',
            via_input=False,
            decode='bilinear',
            decode_size='input',
            stretch='channel',
            first_output='given',
        ),
        context=dict(num_frames=30, first='windowed', recent_first=False),
        window=dict(shape='square', radius=30, inclusive=True),
        select=dict(topk=7, temperature=0.1, ties='all'),
        data=dict(type='ResizedDAVISDataset', resize=(480, 880)),
    ),
)
# not published by RSP: its settings for DAVIS, at the frames' own size
protocol['ytvos'] = {**protocol['davis'], 'data': {}}
