"""DINOv2 ViT-S/14 by DINO's protocol."""

_base_ = [
    '../_base_/models/dinov2_vits14.py',
    '../_base_/protocols/dino.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
