"""Mathematics on tensors: no registry, config, file or choice of device."""

from densecorr.ops.keys import Keys
from densecorr.ops.pos_embed import interpolate_pos_embed
from densecorr.ops.propagate import (
    Propagated,
    propagate,
    propagate_reference,
    slots_reference,
    topk_slots,
)
from densecorr.ops.selection import Rule, Slots
from densecorr.ops.size_policy import SizePlan, resolve_size
from densecorr.ops.window import Window

__all__ = [
    'Keys',
    'Propagated',
    'Rule',
    'SizePlan',
    'Slots',
    'Window',
    'interpolate_pos_embed',
    'propagate',
    'propagate_reference',
    'resolve_size',
    'slots_reference',
    'topk_slots',
]
