"""Mathematics on tensors: no registry, config, file or choice of device."""

from densecorr.ops.attention_mask import attention_mask
from densecorr.ops.cluster import cluster_maps, prototype_maps
from densecorr.ops.cross_entropy import hard_cross_entropy, soft_cross_entropy
from densecorr.ops.ema import ema_update_
from densecorr.ops.keys import Keys
from densecorr.ops.kmeans import KMeansRule, kmeans, nearest_centers
from densecorr.ops.monitors import assignment_entropy, cluster_usage, feature_std
from densecorr.ops.patches import patchify, unpatchify
from densecorr.ops.pca import fit_projection
from densecorr.ops.pos_embed import interpolate_pos_embed
from densecorr.ops.precision import full_precision, without_autocast
from densecorr.ops.propagate import (
    Propagated,
    propagate,
    propagate_reference,
    slots_reference,
    topk_slots,
)
from densecorr.ops.random_masking import random_masking
from densecorr.ops.schedule import make_schedule
from densecorr.ops.selection import Rule, Slots
from densecorr.ops.sinkhorn import sinkhorn_assignment, sinkhorn_plan
from densecorr.ops.size_policy import SizePlan, resolve_size
from densecorr.ops.window import Window

__all__ = [
    'KMeansRule',
    'Keys',
    'Propagated',
    'Rule',
    'SizePlan',
    'Slots',
    'Window',
    'assignment_entropy',
    'attention_mask',
    'cluster_maps',
    'cluster_usage',
    'ema_update_',
    'feature_std',
    'fit_projection',
    'full_precision',
    'hard_cross_entropy',
    'interpolate_pos_embed',
    'kmeans',
    'make_schedule',
    'nearest_centers',
    'patchify',
    'propagate',
    'propagate_reference',
    'prototype_maps',
    'random_masking',
    'resolve_size',
    'sinkhorn_assignment',
    'sinkhorn_plan',
    'slots_reference',
    'soft_cross_entropy',
    'topk_slots',
    'unpatchify',
    'without_autocast',
]
