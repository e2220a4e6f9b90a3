"""TimeT ViT-B/16 on YouTube-VOS 2018, from DINO's weights."""

_base_ = 'timet_vits16.py'
model = dict(backbone=dict(arch='vit_base_patch16_224'))
init = dict(
    backbone='data/weights/dino_vitbase16_pretrain.pth',
    address='https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth',
)
