"""CatMAE (Jiang et al., arXiv:2311.00961), all models but ViT-S/8.

CRW's script on DAVIS resized to 480 x 880, which fits ViTs of 16 and 8 pixels a patch.
Labels are resized, too: the scores are not those of DAVIS at its own size.
"""

protocol = dict(
    name='catmae_s16',
    revision=1,
    published_stride=(16, 8),  # of ViTs; of ResNets
    source='minhoooo1/CatMAE 0fb1f60, test_mae.py with the settings of its README',
    davis=dict(
        reader='pillow',
        size=dict(rounding='nearest'),  # of the resized frames
        resizer='opencv',
        labels=dict(
            encode='bilinear',
            decode='bilinear',
            decode_size='image',
            first_output='decoded',
        ),
        context=dict(num_frames=20, first='global', repeat_first=True),
        window=dict(shape='circle', radius=18, inclusive=False),
        select=dict(topk=8, temperature=0.7),
        data=dict(type='ResizedDAVISDataset', resize=(480, 880)),
    ),
)
# not published by CatMAE: its settings for DAVIS, at the frames' own size
protocol['ytvos'] = {**protocol['davis'], 'data': {}}
