"""Spa-then-Temp ResNet-50 at stride 8 by its own protocol."""

_base_ = [
    '../_base_/models/res50_d8.py',
    '../_base_/protocols/spa_then_temp.py',
    '../_base_/tasks/davis.py',
    '../_base_/tasks/davis16.py',
    '../_base_/tasks/jhmdb.py',
    '../_base_/tasks/davis_testdev.py',
    '../_base_/tasks/vip.py',
    '../_base_/tasks/ytvos18.py',
    '../_base_/tasks/ytvos19.py',
    '../_base_/default_runtime.py',
]
