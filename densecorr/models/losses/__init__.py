"""Losses: a pure function each, and a registered module with its settings."""

from densecorr.models.losses.color_reconstruction import ColorReconstructionLoss
from densecorr.models.losses.correlation_distillation import (
    GlobalDistillationLoss,
    LocalDistillationLoss,
)
from densecorr.models.losses.dul import DULLoss
from densecorr.models.losses.info_nce import InfoNCELoss
from densecorr.models.losses.match_selection import MatchSelection
from densecorr.models.losses.patch_reconstruction import PatchReconstructionLoss
from densecorr.models.losses.random_walk import RandomWalkLoss
from densecorr.models.losses.simsiam import SimSiamLoss
from densecorr.models.losses.slot_instance import SlotInstanceLoss
from densecorr.models.losses.slot_overlap import SlotOverlapLoss
from densecorr.models.losses.slot_transport import SlotTransportLoss
from densecorr.models.losses.timet import TimeTLoss

__all__ = [
    'ColorReconstructionLoss',
    'DULLoss',
    'GlobalDistillationLoss',
    'InfoNCELoss',
    'LocalDistillationLoss',
    'MatchSelection',
    'PatchReconstructionLoss',
    'RandomWalkLoss',
    'SimSiamLoss',
    'SlotInstanceLoss',
    'SlotOverlapLoss',
    'SlotTransportLoss',
    'TimeTLoss',
]
