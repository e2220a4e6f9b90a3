"""SMTC (Qian et al., ICCV 2023) at stride 16: CRW's script on resized frames."""

protocol = dict(
    name='smtc_s16',
    revision=1,
    published_stride=16,
    source='SMTC eval_prop.sh, its default since the size fix of March 2024',
    davis=dict(
        reader='opencv',
        size=dict(rounding='floor'),  # (H // 16 * 16, W // 16 * 16) for a ViT-16
        resizer='torch',
        labels=dict(
            encode='bilinear',
            via_input=False,
            decode='bilinear',
            decode_size='image',
            first_output='decoded',
        ),
        context=dict(num_frames=20, first='global', repeat_first=True),
        window=dict(shape='circle', radius=7, inclusive=False),
        select=dict(topk=7, temperature=0.2),
    ),
)
# not published by SMTC: its settings for DAVIS
protocol['ytvos'] = protocol['davis']
