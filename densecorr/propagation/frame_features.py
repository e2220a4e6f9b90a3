"""A backbone alone: frames in, feature maps of one grid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.registry import MODELS

from .frames import FrameInput


@MODELS.register_module()
class FrameFeatures(nn.Module):
    """Features of single images, all resized to one size.

    Args:
        backbone: config of a backbone; the last of its maps is used.
        inputs: ``color``, ``mean`` and ``std`` of :class:`FrameInput`.
        protocol: its ``size``, with ``fixed``, and ``resizer`` are used.
        limits: not used; trackers have them.
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        protocol: Mapping[str, Any],
        limits: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        del limits
        self.backbone = MODELS.build(backbone)
        size = dict(protocol.get('size', {}))
        if size.get('fixed') is None:
            raise ValueError(
                f'size of the protocol is {size}; images of all sizes become maps of '
                'one grid here, so give size=dict(fixed=(height, width)).'
            )
        size.setdefault('rounding', 'nearest')
        self.inputs = FrameInput(
            **inputs,
            size=size,
            resizer=protocol.get('resizer', 'pillow'),
            multiple=1 if self.backbone.any_size else self.backbone.stride,
        )
        self._place: Tensor
        self.register_buffer('_place', torch.empty(0), persistent=False)

    @torch.inference_mode()
    def features(self, images: Sequence[np.ndarray]) -> Tensor:
        """``(b, h, w, c)`` features of ``(H, W, 3)`` uint8 RGB images."""
        batch = torch.stack([self.inputs(image) for image in images])
        maps = self.backbone(batch.to(self._place.device))[-1]
        return maps.permute(0, 2, 3, 1)
