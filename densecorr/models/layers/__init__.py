"""Layers that several networks share."""

from densecorr.models.layers.key_queue import KeyQueue
from densecorr.models.layers.sync_batch_norm import (
    SyncBatchNorm,
    convert_sync_batch_norm,
)

__all__ = ['KeyQueue', 'SyncBatchNorm', 'convert_sync_batch_norm']
