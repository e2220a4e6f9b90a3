"""TimeT ViT-S/8 on YouTube-VOS 2018, from DINO's weights."""

_base_ = 'timet_vits16.py'
model = dict(
    backbone=dict(arch='vit_small_patch8_224'),
    loss=dict(carry=dict(radius=12)),  # as far as 6 cells of 16 pixels
)
init = dict(
    backbone='data/weights/dino_deitsmall8_pretrain.pth',
    address='https://dl.fbaipublicfiles.com/dino/dino_deitsmall8_pretrain/dino_deitsmall8_pretrain.pth',
)
train_dataloader = dict(batch_size=32)
optim_wrapper = dict(accumulative_counts=4)
