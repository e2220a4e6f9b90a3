"""TimeT ViT-B/16 on YouTube-VOS 2018, from MAE's weights."""

_base_ = 'timet_vits16.py'
model = dict(
    backbone=dict(arch='vit_base_patch16_224'), inputs=dict(std=(0.229, 0.224, 0.225))
)
init = dict(
    backbone='data/weights/mae_pretrain_vit_base.pth',
    source='mae',
    address='https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth',
)
