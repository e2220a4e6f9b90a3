"""SMTC ViT-S/16 by its own protocol at stride 16."""

_base_ = [
    '../_base_/models/smtc_vits16.py',
    '../_base_/protocols/smtc_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
