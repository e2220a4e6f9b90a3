"""MAE ViT-B/16 by CatMAE's protocol."""

_base_ = [
    '../_base_/models/mae_vitb16.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
