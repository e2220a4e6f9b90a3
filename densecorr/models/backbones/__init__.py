"""Backbones: images in, a tuple of feature maps out, geometry as attributes."""

from densecorr.models.backbones.dul_net import DULNet
from densecorr.models.backbones.point_embedding import PointEmbedding
from densecorr.models.backbones.raw_colors import RawColors
from densecorr.models.backbones.resnet import ResNet
from densecorr.models.backbones.timm_features import TimmFeatures

__all__ = ['DULNet', 'PointEmbedding', 'RawColors', 'ResNet', 'TimmFeatures']
