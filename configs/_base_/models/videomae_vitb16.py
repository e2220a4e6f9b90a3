"""VideoMAE ViT-B/16 for single frames: tokens of the last block after the norm, no class
token. RGB, ImageNet statistics."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_base_patch16_224',
        class_token=False,
        global_pool='',
        out_indices=(-1,),
        norm=True,
        pos_embed_rule='scale_factor',
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
checkpoint_source = 'videomae'
