"""SMTC ViT-S/16: tokens of the last block before the final norm. RGB, ImageNet
statistics."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_small_patch16_224',
        out_indices=(-1,),
        norm=False,
        pos_embed_rule='scale_factor',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
checkpoint_source = 'smtc'
