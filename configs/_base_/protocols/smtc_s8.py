"""SMTC (Qian et al., ICCV 2023) at stride 8: a ViT-16's features on a finer grid.

Published: frames are resized to multiples of 8 although the patches have 16 pixels, so
where a side is an odd multiple of 8 (``bike-packing``: 480 x 904) the last 8 rows or
columns of pixels are cut off while labels cover them. ``size.multiple=16`` avoids it.
"""

protocol = dict(
    name='smtc_s8',
    revision=1,
    published_stride=16,  # of the network; the grid of labels has 8
    source='SMTC eval_prop.sh with stride 8, since the size fix of March 2024',
    davis=dict(
        reader='opencv',
        size=dict(multiple=8, rounding='floor'),
        resizer='torch',
        label_stride=8,
        labels=dict(
            encode='bilinear',
            via_input=False,
            decode='bilinear',
            decode_size='image',
            first_output='decoded',
        ),
        context=dict(num_frames=20, first='global', repeat_first=True),
        window=dict(shape='circle', radius=35, inclusive=False),
        select=dict(topk=28, temperature=0.2),
    ),
)
# not published by SMTC: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
