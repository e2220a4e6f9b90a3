"""Spa-then-Temp ResNet-18 on YouTube-VOS 2018, the second step. Its options are those of
spa_then_temp_res50.py; the first step is moco_v2_res18.py."""

_base_ = 'spa_then_temp_res50.py'
model = dict(backbone=dict(depth=18), teacher=dict(backbone=dict(depth=18)))
