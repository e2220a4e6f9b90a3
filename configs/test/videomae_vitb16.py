"""VideoMAE ViT-B/16, reduced to single frames, by CatMAE's protocol."""

_base_ = [
    '../_base_/models/videomae_vitb16.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
