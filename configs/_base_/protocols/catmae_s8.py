"""CatMAE (Jiang et al., arXiv:2311.00961), ViT-S/8: more keys from a larger window."""

_base_ = ['catmae_s16.py']

_finer = dict(window=dict(radius=32), select=dict(topk=12, temperature=0.5))
protocol = dict(name='catmae_s8', published_stride=8, davis=_finer, ytvos=_finer)
