"""CatMAE and CRW on one small ViT and generated clips: minutes on a CPU, without data.

Parts are methods by name; docs/mixed.md shows how to add a third. As --cfg-options:
  model.parts.crw=None             one of them alone (and custom_hooks.1.parts=None)
  model.parts.crw.weight=0.2
  custom_hooks.1.interval=10       how often gradients are compared
"""

_base_ = 'catmae_vittiny8_spriteworld.py'
_alone = _base_.model
model = dict(
    _delete_=True,
    type='Mixed',
    backbone=_alone.backbone,
    inputs=_alone.inputs,
    parts=dict(
        catmae=dict(
            type='CatMAE',
            weight=1.0,
            decoder=_alone.decoder,
            mask_ratios=_alone.mask_ratios,
            weights=_alone.weights,
        ),
        crw=dict(
            type='CRW',
            weight=0.5,
            head=dict(type='ProjectionHead', depth=0),
            loss=dict(type='RandomWalkLoss', temperature=0.07),
            edge_dropout=0.1,
        ),
    ),
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
