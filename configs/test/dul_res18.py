"""DUL ResNet-18 by DUL's protocol."""

_base_ = [
    '../_base_/models/dul_res18.py',
    '../_base_/protocols/dul.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
