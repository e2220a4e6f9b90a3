"""SiamMAE ViT-S/16 by CatMAE's protocol; no weights are published."""

_base_ = [
    '../_base_/models/catmae_vits16.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
checkpoint_source = 'siammae'
