"""SiamMAE ViT-S/8 by CatMAE's protocol; no weights are published."""

_base_ = [
    '../_base_/models/catmae_vits8.py',
    '../_base_/protocols/catmae_s8.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
checkpoint_source = 'siammae'
