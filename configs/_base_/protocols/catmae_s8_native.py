"""CatMAE (Jiang et al., arXiv:2311.00961), ViT-S/8 on frames and labels of their own size: not published."""

_base_ = ['catmae_s8.py']

protocol = dict(
    name='catmae_s8_native',
    note="frames and labels keep their size, other than CatMAE's 480x880",
    davis=dict(data=dict(_delete_=True)),
)
