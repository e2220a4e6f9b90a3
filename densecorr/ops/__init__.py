"""Mathematics on tensors: no registry, config, file or choice of device."""

from densecorr.ops.cross_entropy import hard_cross_entropy, soft_cross_entropy
from densecorr.ops.ema import ema_update_
from densecorr.ops.keys import Keys
from densecorr.ops.monitors import assignment_entropy, cluster_usage, feature_std
from densecorr.ops.pos_embed import interpolate_pos_embed
from densecorr.ops.precision import full_precision, without_autocast
from densecorr.ops.propagate import (
    Propagated,
    propagate,
    propagate_reference,
    slots_reference,
    topk_slots,
)
from densecorr.ops.schedule import make_schedule
from densecorr.ops.selection import Rule, Slots
from densecorr.ops.sinkhorn import sinkhorn_assignment, sinkhorn_plan
from densecorr.ops.size_policy import SizePlan, resolve_size
from densecorr.ops.window import Window

__all__ = [
    'Keys',
    'Propagated',
    'Rule',
    'SizePlan',
    'Slots',
    'Window',
    'assignment_entropy',
    'cluster_usage',
    'ema_update_',
    'feature_std',
    'full_precision',
    'hard_cross_entropy',
    'interpolate_pos_embed',
    'make_schedule',
    'propagate',
    'propagate_reference',
    'resolve_size',
    'sinkhorn_assignment',
    'sinkhorn_plan',
    'slots_reference',
    'soft_cross_entropy',
    'topk_slots',
    'without_autocast',
]
