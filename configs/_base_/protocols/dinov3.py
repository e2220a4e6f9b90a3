"""DINOv3 (Simeoni et al., arXiv:2508.10104): the tracking notebook.

The short side is 960 as in the demo; the paper's sizes are several
(``protocol.davis.size.short_side``). Unverified: settings as reported, not replayed.
"""

protocol = dict(
    name='dinov3',
    revision=1,
    verified=False,
    published_stride=16,
    source='facebookresearch/dinov3 notebooks/segmentation_tracking.ipynb',
    davis=dict(
        reader='pillow',
        size=dict(short_side=960, rounding='ceil'),
        resizer='pillow',
        labels=dict(
            encode='nearest',
            via_input=False,
            decode='nearest',
            decode_size='image',
            stretch='channel',
            first_output='given',
        ),
        context=dict(num_frames=7, first='windowed', recent_first=False),
        window=dict(shape='circle', radius=12, inclusive=True),
        select=dict(topk=5, temperature=0.2),
    ),
)
# not published by DINOv3: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
