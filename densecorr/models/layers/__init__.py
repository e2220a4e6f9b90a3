"""Layers that several networks share."""

from densecorr.models.layers.sync_batch_norm import (
    SyncBatchNorm,
    convert_sync_batch_norm,
)

__all__ = ['SyncBatchNorm', 'convert_sync_batch_norm']
