"""DUL: places of a video learn which anchor of the batch they belong to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from densecorr.ops.anchors import anchor_places, grid_offsets
from densecorr.ops.monitors import feature_std
from densecorr.ops.noise import item_noise
from densecorr.registry import MODELS

from .base import BaseMethod, clip_seeds

OFFSETS = ('anchor_offsets', 'pair_offsets')  # their places are their noise streams
MIN_FRAMES = 2  # frame 0 has the anchors, the others learn
_INPUTS = ('frames', 'second_frames', 'theta')


@MODELS.register_module()
class DUL(BaseMethod):
    """Dense unsupervised learning for video segmentation.

    Two passes of the network: one with gradient over the main view and frame 0 of the
    second one, then one without over the other frames of the second view. Both are in
    training mode, so batch norms see each by itself and their running statistics are
    updated twice.

    Args:
        backbone: config of a network with unit features; the last of its maps is used.
        inputs: see :class:`BaseMethod`.
        grid: anchors of a side; a clip has grid * grid of them.
        pair_grid: places of a side that the second term compares.
        loss: config of the loss, see :class:`DULLoss`.
        cross_view_weight: of the second term.
        block_bn: the second pass uses the running statistics of the batch norms, and
            leaves them as they are.
        stop_gradient: the second pass is without gradient. False changes no number, as
            only labels come of it.

    Reads ``frames`` and ``second_frames``, ``(b, t, 3, H, W)`` with t of at least 2,
    ``theta`` ``(b, 2, 3)``, which ClipSecondView makes, and each clip's ``seed``.
    ``anchor_offsets`` and ``pair_offsets``, ``(b, 2)`` int64 (oy, ox) among the inputs,
    take the place of drawn ones.

    Reference: Araslanov, Schaub-Meyer and Roth, NeurIPS 2021, arXiv:2111.06265.
        Official: visinf/dense-ulearn-vos (88e5e35).
    """

    def __init__(
        self,
        backbone: dict,
        inputs: dict,
        grid: int = 8,
        pair_grid: int = 4,
        loss: dict | None = None,
        cross_view_weight: float = 0.1,
        block_bn: bool = False,
        stop_gradient: bool = True,
    ) -> None:
        super().__init__(backbone, inputs)
        if min(grid, pair_grid) < 1 or cross_view_weight < 0:
            raise ValueError(
                f'grid of DUL is {grid}, pair_grid {pair_grid} and cross_view_weight '
                f'{cross_view_weight}; grids have at least 1 place a side, the weight '
                'is not negative.'
            )
        self.grid, self.pair_grid = grid, pair_grid
        self.contrast: Any = MODELS.build({'type': 'DULLoss', **(loss or {})})
        self.cross_view_weight = cross_view_weight
        self.block_bn, self.stop_gradient = block_bn, stop_gradient

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[dict]
    ) -> dict[str, Tensor]:
        """Both terms, the share of anchors that are a label, the spread of features.

        Raises:
            KeyError: an input is missing.
            ValueError: clips of fewer than two frames, views of other shapes, or maps
                on which the grids do not fit.
        """
        _check(inputs)
        frames, second = (self.normalize(inputs[name]) for name in _INPUTS[:2])
        b, t = frames.shape[:2]
        images = torch.cat([frames, second[:, :1]], 1)  # (b, t + 1, 3, H, W)
        feats = self.backbone(images.flatten(0, 1))[-1].unflatten(0, (b, t + 1))
        others = self._second_pass(second[:, 1:])
        size = (feats.shape[-2], feats.shape[-1])
        grids = zip(OFFSETS, (self.grid, self.pair_grid), strict=True)
        drawn = [
            anchor_places(
                self._offsets(name, grid, size, inputs, data_samples), size, grid
            )
            for name, grid in grids
        ]
        terms = self.contrast(
            feats[:, :t], feats[:, t], others, inputs['theta'], *drawn
        )
        return dict(
            loss_temporal=terms.temporal,
            loss_cross_view=self.cross_view_weight * terms.cross_view,
            anchors_used=_share_used(terms.labels, b * self.grid**2, feats.dtype),
            feature_std=feature_std(feats[:, :t].flatten(3).transpose(2, 3)),
        )

    def _second_pass(self, images: Tensor) -> Tensor:
        """Features of ``(b, t - 1, 3, H, W)`` images for the labels."""
        training = self.backbone.training
        if self.block_bn:
            self.backbone.eval()
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.stop_gradient):
            feats = self.backbone(images.flatten(0, 1))[-1]
        self.backbone.train(training)
        return feats.unflatten(0, images.shape[:2])

    def _offsets(
        self,
        name: str,
        grid: int,
        size: tuple[int, int],
        inputs: dict[str, Tensor],
        data_samples: list[dict],
    ) -> Tensor:
        """Given or drawn offsets of a grid, ``(b, 2)``."""
        if name in inputs:
            return inputs[name]
        device = inputs['frames'].device
        stream = OFFSETS.index(name)
        noise = item_noise(clip_seeds(data_samples), stream, (2,), device)
        return grid_offsets(noise, size, grid)


def _check(inputs: dict[str, Tensor]) -> None:
    missing = [name for name in _INPUTS if name not in inputs]
    if missing:
        raise KeyError(
            f'inputs of DUL lack {missing}. End the pipeline with ClipSecondView and '
            "PackClip(frame_keys=['second_frames'], keys=['theta'])."
        )
    frames, second = inputs['frames'], inputs['second_frames']
    if frames.ndim != 5 or frames.shape[1] < MIN_FRAMES:
        raise ValueError(
            f'frames of DUL are {tuple(frames.shape)}; give (b, t, 3, H, W) with t of '
            f'at least {MIN_FRAMES}: raise num_frames of the clip sampler.'
        )
    if second.shape != frames.shape:
        raise ValueError(
            f'frames of DUL are {tuple(frames.shape)}, second_frames '
            f'{tuple(second.shape)}; both views have one shape.'
        )


def _share_used(labels: Tensor, anchors: int, dtype: torch.dtype) -> Tensor:
    """Share of anchors, in [0, 1], that are the label of a place."""
    counts = torch.bincount(labels.flatten(), minlength=anchors)
    return (counts > 0).to(dtype).mean()
