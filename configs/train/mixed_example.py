"""CatMAE and CRW on one small ViT and generated clips: minutes on a CPU, without data.

Parts are methods by name; docs/mixed.md shows how to add a third. As --cfg-options:
  model.parts.crw=None             one of them alone
  model.parts.crw.weight=0.2
  custom_hooks.1.interval=10       how often gradients are compared
"""

_base_ = 'catmae_vittiny8_spriteworld.py'
_catmae = dict(
    type='CatMAE',
    weight=1.0,
    decoder=dict(
        type='CatMAEDecoder',
        channels=96,
        depth=2,
        num_heads=4,
        hidden=384,
        dropout=0.0,
    ),
    mask_ratios=(0.9, 0.9),
    weights=(0.8, 1.0),
)
_crw = dict(
    type='CRW',
    weight=0.5,
    head=dict(type='ProjectionHead', depth=0),
    loss=dict(type='RandomWalkLoss', temperature=0.07),
    edge_dropout=0.1,
)
model = dict(
    _delete_=True,
    type='Mixed',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_tiny_patch16_224',
        img_size=48,
        patch_size=8,
        depth=3,
        embed_dim=96,
        pos_embed_rule='scale_factor',
        init='mae',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    parts=dict(catmae=_catmae, crw=_crw),
)
custom_hooks = [
    dict(
        type='ReconstructionHook',
        method='parts.catmae',
        dataset=_base_.custom_hooks[0].dataset,
        interval=250,
        unit='iter',
    ),
    dict(type='LossGradientsHook', interval=50, unit='iter', parts=['catmae', 'crw']),
]
