"""DIFT (Tang et al., NeurIPS 2023), Stable Diffusion: DINO's script.

The long side is a multiple of 32 instead of 64. The script takes 10 recent frames in the
sequence ``shooting`` (for its memory), here it is 28 everywhere. Unverified: read in the
source, not replayed.
"""

protocol = dict(
    name='dift_sd',
    revision=1,
    verified=False,
    published_stride=8,
    source='Tsingularity/dift 47e7807, eval_davis.py with the settings for SD',
    davis=dict(
        reader='opencv',
        size=dict(short_side=480, long_multiple=32, rounding='nearest'),
        resizer='opencv',
        labels=dict(
            encode='nearest',
            via_input=False,
            decode='bilinear',
            decode_size='input',
            stretch='channel',
            first_output='given',
        ),
        context=dict(num_frames=28, first='windowed', recent_first=False),
        window=dict(shape='square', radius=15, inclusive=True),
        select=dict(topk=15, temperature=0.2, ties='all'),
    ),
)
# not published by DIFT: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
