"""DINO (Caron et al., ICCV 2021): ``eval_video_segmentation.py``."""

protocol = dict(
    name='dino',
    revision=1,
    published_stride=(16, 8),  # the same settings for both patches
    source='facebookresearch/dino eval_video_segmentation.py, its defaults',
    davis=dict(
        reader='opencv',
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
        context=dict(num_frames=7, first='windowed', recent_first=False),
        window=dict(shape='square', radius=12, inclusive=True),
        select=dict(topk=5, temperature=0.1, ties='all'),
    ),
)
# not published by DINO: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
