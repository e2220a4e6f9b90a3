"""MoCo v2 ResNet-18 on ImageNet, the first step of Spa-then-Temp's ResNet-18. How its
authors trained theirs is not published: the recipe of the ResNet-50."""

_base_ = ['moco_v2_res50.py']
model = dict(backbone=dict(depth=18))
