"""SMTC ViT-S/16 by its own protocol on a label grid of stride 8."""

_base_ = [
    '../_base_/models/smtc_vits16.py',
    '../_base_/protocols/smtc_s8.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
