"""CatMAE ViT-S/8 by its own protocol."""

_base_ = [
    '../_base_/models/catmae_vits8.py',
    '../_base_/protocols/catmae_s8.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
