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

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._place.device

    def input_size(self, height: int, width: int) -> tuple[int, int]:
        """Size (H, W) to which an image of this size is brought."""
        return self.inputs.plan(height, width).input_size

    def features(self, images: Sequence[np.ndarray]) -> Tensor:
        """``(b, h, w, c)`` features of ``(H, W, 3)`` uint8 RGB images."""
        return self.maps(images)['features']

    @torch.inference_mode()
    def maps(
        self, images: Sequence[np.ndarray], attention: bool = False
    ) -> dict[str, Tensor]:
        """``features`` of :meth:`features`, and ``attention`` where asked for.

        Args:
            images: ``(H, W, 3)`` uint8 RGB.
            attention: also ``(b, h, w, heads)``, what the class token of the last block
                looks at, in shares of an even attention (1 is as much as every patch
                would get), which float16 holds where it does not hold the softmax.

        Raises:
            ValueError: the backbone has no attention of a class token.
        """
        batch = torch.stack([self.inputs(image) for image in images])
        batch = batch.to(self.device)
        if not attention:
            return dict(features=self.backbone(batch)[-1].permute(0, 2, 3, 1))
        if not hasattr(self.backbone, 'maps_and_attention'):
            raise ValueError(
                f'{type(self.backbone).__name__} has no attention of a class token. '
                'Take a config whose backbone is a plain ViT with a class token (of '
                'TimmFeatures), for example configs/test/dino_vits16.py.'
            )
        maps, seen = self.backbone.maps_and_attention(batch)
        even = seen[0, 0].numel()
        return dict(
            features=maps[-1].permute(0, 2, 3, 1),
            attention=seen.permute(0, 2, 3, 1) * even,
        )
