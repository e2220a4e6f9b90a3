"""DUL ResNet-18 on OxUvA's dev videos, from scratch, as published."""

_base_ = 'dul_res18_ytvos.py'
train_dataloader = dict(dataset=dict(data='oxuva', split='dev', sampler=dict(gap=10)))
