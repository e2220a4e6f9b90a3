"""DINO ViT-B/8: tokens of the last block after the norm. RGB; the std starts with 0.228."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_base_patch8_224',
        out_indices=(-1,),
        norm=True,
        pos_embed_rule='scale_factor',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.228, 0.224, 0.225)),
)
checkpoint_source = 'dino'
