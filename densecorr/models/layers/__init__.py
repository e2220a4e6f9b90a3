"""Layers that several networks share."""

from densecorr.models.layers.clip_views import ClipViews
from densecorr.models.layers.key_queue import KeyQueue
from densecorr.models.layers.row_queue import RowQueue
from densecorr.models.layers.slot_attention import SemanticSlotAttention
from densecorr.models.layers.sync_batch_norm import (
    SyncBatchNorm,
    convert_sync_batch_norm,
)

__all__ = [
    'ClipViews',
    'KeyQueue',
    'RowQueue',
    'SemanticSlotAttention',
    'SyncBatchNorm',
    'convert_sync_batch_norm',
]
