"""A ViT with patches of 8 pixels that trains on a CPU in minutes. RGB."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_tiny_patch16_224',
        img_size=112,
        patch_size=8,
        embed_dim=96,
        depth=4,
        num_heads=3,
        out_indices=(-1,),
        norm=True,
        pos_embed_rule='scale_factor',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
checkpoint_source = 'timm'
