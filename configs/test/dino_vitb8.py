"""DINO ViT-B/8 by DINO's protocol."""

_base_ = [
    '../_base_/models/dino_vitb8.py',
    '../_base_/protocols/dino.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
