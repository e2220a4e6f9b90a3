"""DINOv3 ViT-S/16: tokens of the last block after the norm; rotary positions need no
rule. RGB, ImageNet statistics."""

model = dict(
    type='VideoTracker',
    backbone=dict(
        type='TimmFeatures',
        arch='vit_small_patch16_dinov3',
        out_indices=(-1,),
        norm=True,
    ),
    inputs=dict(color='rgb', mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
)
checkpoint_source = 'dinov3'
