"""DINOv3 ViT-S/16 by the protocol of its notebook."""

_base_ = [
    '../_base_/models/dinov3_vits16.py',
    '../_base_/protocols/dinov3.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
