"""TimeT ResNet-50 on YouTube-VOS 2018, from DINO's weights: layer4 at stride 16."""

_base_ = 'timet_vits16.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        strides=(1, 2, 2, 1),
        out_indices=(3,),
        pool='max',
    ),
    inputs=dict(std=(0.229, 0.224, 0.225)),
    unfrozen=('layer4.',),
)
init = dict(
    backbone='data/weights/dino_resnet50_pretrain.pth',
    address='https://dl.fbaipublicfiles.com/dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth',
)
