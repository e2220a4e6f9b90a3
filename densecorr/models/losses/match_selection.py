"""Where a coarse match learns from a fine one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from densecorr.ops.correlation import displacement_volume
from densecorr.ops.match_selection import (
    above_quantile,
    above_sorted_row,
    match_entropy,
    stretched,
    uniform_cross_entropy,
)
from densecorr.registry import MODELS

SCORES: Mapping[str, Callable[[Tensor], Tensor]] = {
    'official': uniform_cross_entropy,
    'entropy': match_entropy,
}
THRESHOLDS: Mapping[str, Callable[[Tensor, float], Tensor]] = {
    'official': above_sorted_row,
    'quantile': above_quantile,
}
SOFT = 'soft'  # the score itself is the weight
_BORDER = 3  # positions without weight at each side, of the official soft variant


@MODELS.register_module()
class MatchSelection(nn.Module):
    """Weights of positions from the products with their neighbourhood.

    Args:
        radius: inclusive, of the neighbourhood in positions.
        score: ``'official'``: :func:`uniform_cross_entropy`, large where the match is
            certain; ``'entropy'``: :func:`match_entropy`, large where it is not, as the
            paper's figure says.
        threshold: ``'official'``: :func:`above_sorted_row`; ``'quantile'``:
            :func:`above_quantile`; ``'soft'``: no threshold (T = -1 of the official
            code), the stretched score is the weight and has a gradient.
        share: of the threshold, T of the paper; ``'soft'`` does not use it.

    Reference: Li and Liu, CVPR 2023 (Spa-then-Temp). Official:
        qianduoduolr/Spa-then-Temp (4c94362).
    """

    def __init__(
        self,
        radius: int = 6,
        score: str = 'official',
        threshold: str = 'official',
        share: float = 0.7,
    ) -> None:
        super().__init__()
        allowed = (*THRESHOLDS, SOFT)
        for name, value, known in (
            ('score', score, tuple(SCORES)),
            ('threshold', threshold, allowed),
        ):
            if value not in known:
                raise ValueError(
                    f'{name} of MatchSelection is {value!r}, allowed are {known}.'
                )
        if not 0 < share <= 1:
            raise ValueError(
                f'share of MatchSelection is {share}; give a number in (0, 1]. The '
                "official T = -1 is threshold='soft'."
            )
        self.radius, self.score = radius, score
        self.threshold, self.share = threshold, share

    def forward(self, target: Tensor, reference: Tensor) -> Tensor:
        """``(b, c, h, w)`` maps of two frames to the target's weights ``(b, h, w)``."""
        score = SCORES[self.score]
        if self.threshold == SOFT:
            volume = displacement_volume(target, reference, self.radius)
            return stretched(score(volume), _BORDER)
        with torch.no_grad():
            volume = displacement_volume(target, reference, self.radius)
            return THRESHOLDS[self.threshold](score(volume), self.share)
