"""DINO ViT-S/8 by DINO's protocol."""

_base_ = [
    '../_base_/models/dino_vits8.py',
    '../_base_/protocols/dino.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
