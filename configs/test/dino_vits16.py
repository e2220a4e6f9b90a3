"""DINO ViT-S/16 by DINO's protocol."""

_base_ = [
    '../_base_/models/dino_vits16.py',
    '../_base_/protocols/dino.py',
    '../_base_/tasks/davis.py',
    '../_base_/tasks/davis16.py',
    '../_base_/tasks/davis_testdev.py',
    '../_base_/tasks/ytvos18.py',
    '../_base_/tasks/ytvos19.py',
    '../_base_/default_runtime.py',
]
