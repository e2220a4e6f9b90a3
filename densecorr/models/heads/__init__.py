"""Heads: what a method puts on the features of a backbone."""

from densecorr.models.heads.catmae_decoder import CatMAEDecoder
from densecorr.models.heads.linear_probe import LinearProbeHead
from densecorr.models.heads.mlp import MLPHead
from densecorr.models.heads.projection import ProjectionHead
from densecorr.models.heads.prototypes import Prototypes
from densecorr.models.heads.simsiam import SimSiamHead
from densecorr.models.heads.slots import SlotHead

__all__ = [
    'CatMAEDecoder',
    'LinearProbeHead',
    'MLPHead',
    'ProjectionHead',
    'Prototypes',
    'SimSiamHead',
    'SlotHead',
]
