"""Models backbones."""

from densecorr.models.backbones.dul_net import DULNet
from densecorr.models.backbones.resnet import ResNet

__all__ = ['DULNet', 'ResNet']
