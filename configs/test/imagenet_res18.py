"""ImageNet ResNet-18 by CatMAE's protocol, at stride 8."""

_base_ = [
    '../_base_/models/res18_s8.py',
    '../_base_/protocols/catmae_s16.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
