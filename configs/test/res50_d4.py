"""Spa-then-Temp ResNet-50 at stride 4 by its own protocol."""

_base_ = [
    '../_base_/models/res50_d4.py',
    '../_base_/protocols/spa_then_temp_d4.py',
    '../_base_/tasks/propagation.py',
    '../_base_/default_runtime.py',
]
