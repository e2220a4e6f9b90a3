"""TimeT ViT-S/16 on YouTube-VOS 2018, from iBOT's weights."""

_base_ = 'timet_vits16.py'
model = dict(inputs=dict(std=(0.229, 0.224, 0.225)))
init = dict(
    backbone='data/weights/ibot_vits16.pth',
    source='ibot',
    address='https://github.com/bytedance/ibot',
)
