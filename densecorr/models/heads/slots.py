"""Slots of the frames of a clip, from the keys of a ViT."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.models.layers.slot_attention import SemanticSlotAttention
from densecorr.ops.plan import parse_bytes
from densecorr.ops.precision import full_precision
from densecorr.ops.slots import previous_frame_products
from densecorr.registry import MODELS

_COPIES = 12  # of an instance's weights of all places, with their gradients
_BYTES = 4
_unit = full_precision(F.normalize)


class ClipSlots(NamedTuple):
    """Result of :class:`SlotHead` for clips of ``t`` frames with ``n`` places.

    Attributes:
        keys: ``(b, t, n, c)``, what the head was given.
        semantic_slots: ``(b, t, s, c)``.
        semantic_dots: ``(b, t, s, n)`` logits.
        instance_slots: ``(b, t, s, p, c)``.
        instance_dots: ``(b, t, s, p, n)`` logits.
        objects: ``(b, t, s, p, c)`` of length 1.
    """

    keys: Tensor
    semantic_slots: Tensor
    semantic_dots: Tensor
    instance_slots: Tensor
    instance_dots: Tensor
    objects: Tensor


@MODELS.register_module()
class SlotHead(nn.Module):
    """Adds what a place has in common with the frame before, then takes slots.

    Args:
        channels: of the keys.
        grid: (rows, columns) to which the frame before is brought: those of training.
            Clips may have any other size.
        slots: arguments of :class:`SemanticSlotAttention`.
        max_memory: for the weights of the instance slots, such as ``'4GB'``; a batch
            that needs more is refused before it fills the machine.

    Reference: arXiv:2308.09951. Official: shvdiwnkozbw/SMTC
        ``src/model/model_twostage.py``; parameters have its names.
    """

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int] = (16, 16),
        slots: dict | None = None,
        max_memory: str | int = '4GB',
    ) -> None:
        super().__init__()
        rows, columns = grid
        if min(rows, columns) < 1:
            raise ValueError(
                f'grid of SlotHead is {tuple(grid)}; give the rows and columns of the '
                'maps in training: side of the images / stride of the backbone.'
            )
        self.grid, self.max_memory = (rows, columns), parse_bytes(max_memory)
        self.transport_proj = nn.Conv1d(rows * columns, channels, 1)
        self.mlp_slot = nn.Sequential(
            nn.Linear(channels, 2 * channels),
            nn.ReLU(),
            nn.Linear(2 * channels, channels),
        )
        self.slot_attention = SemanticSlotAttention(channels, **(slots or {}))

    @property
    def noise_shape(self) -> tuple[int, int, int]:
        """(s, p, c): normal noise that a frame needs."""
        attention = self.slot_attention
        channels = attention.slots_mu.shape[-1]
        return attention.num_slots, attention.num_instances, channels

    def fuse(self, maps: Tensor) -> Tensor:
        """``(b, t, c, h, w)`` keys with their correspondence, ``(b, t, c, n)``."""
        products = previous_frame_products(maps, self.grid).flatten(0, 1)
        added = self.transport_proj(products).unflatten(0, maps.shape[:2])
        return maps.flatten(3) + added

    def forward(self, maps: Tensor, noise: Tensor) -> ClipSlots:
        """Slots of every frame.

        Args:
            maps: ``(b, t, c, h, w)`` keys.
            noise: ``(b, t, s, p, c)``, normal.

        Raises:
            ValueError: the batch needs more than ``max_memory``.
        """
        b, t, _, h, w = maps.shape
        self._check_memory(b * t, h * w)
        feats = self.fuse(maps).transpose(2, 3).flatten(0, 1)  # (b * t, n, c)
        found = self.slot_attention(feats, noise.flatten(0, 1))
        semantic_slots, semantic_dots, instance_slots, instance_dots = (
            part.unflatten(0, (b, t)) for part in found
        )
        return ClipSlots(
            keys=maps.flatten(3).transpose(2, 3),
            semantic_slots=semantic_slots,
            semantic_dots=semantic_dots,
            instance_slots=instance_slots,
            instance_dots=instance_dots,
            objects=_unit(self.mlp_slot(instance_slots), dim=-1),
        )

    def _check_memory(self, frames: int, places: int) -> None:
        slots, instances, _ = self.noise_shape
        needed = _COPIES * _BYTES * frames * slots * instances * places
        if not torch.is_grad_enabled():
            needed //= 2
        if needed > self.max_memory:
            raise ValueError(
                f'{slots} x {instances} instance slots in {frames} frames of {places} '
                f'places need about {needed / 1e9:.3g} GB, max_memory of SlotHead is '
                f'{self.max_memory / 1e9:.3g} GB. Lower num_instances, num_slots, the '
                'batch or the size of the images, or raise max_memory.'
            )
