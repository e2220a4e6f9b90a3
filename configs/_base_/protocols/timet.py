"""TimeT (Salehi et al., ICCV 2023): its mask propagation test on DAVIS.

The rule is that of DINO. Inside its loss TimeT propagates with 7 recent frames and a
radius of 6. The official test takes crops of 224 pixels, merges all objects and matches
classes anew in every frame; here whole frames are tracked and scored as in DAVIS.
"""

protocol = dict(
    name='timet',
    revision=1,
    published_stride=16,
    source='SMSD75/Timetuning mask_propagation.py, its test on DAVIS',
    note='TimeT tracks crops of 224 pixels and scores them in its own way',
    davis=dict(
        reader='pillow',
        size=dict(short_side=224, rounding='nearest'),
        resizer='pillow',
        labels=dict(
            encode='nearest',
            via_input=False,
            decode='bilinear',
            decode_size='image',
            first_output='given',
        ),
        context=dict(num_frames=4, first='windowed', recent_first=False),
        window=dict(shape='square', radius=12, inclusive=True),
        select=dict(topk=5, temperature=0.1, ties='all'),
    ),
)
# not published by TimeT: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
