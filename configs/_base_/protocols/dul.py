"""DUL (Araslanov et al., NeurIPS 2021): inference of visinf/dense-ulearn-vos."""

protocol = dict(
    name='dul',
    revision=1,
    published_stride=8,
    source='visinf/dense-ulearn-vos 88e5e35, infer_vos.py',
    davis=dict(
        reader='pillow',
        size=dict(rounding='nearest'),  # native where the network takes any size
        resizer='torch_align_corners',
        labels=dict(
            encode='bilinear_align_corners',
            decode='bilinear_align_corners',
            decode_size='image',
            first_output='decoded',
        ),
        context=dict(num_frames=20, first='global', repeat_first=True),
        window=dict(shape='circle', radius=12, inclusive=False),
        select=dict(topk=10, temperature=0.05),
    ),
)
# YouTube-VOS is tracked with the same settings
protocol['ytvos'] = protocol['davis']
