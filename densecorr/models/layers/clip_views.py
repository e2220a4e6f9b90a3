"""Random views of the clips of a batch, on the batch's device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.ops import augment
from densecorr.registry import MODELS


class ViewDraw(NamedTuple):
    """What is done to a clip, alike to all of its frames.

    Attributes:
        gray: whether its colours are taken away, first.
        order: ``(4,)`` of brightness, contrast, saturation and hue.
        factors: ``(4,)`` of these, in this order; None changes nothing.
        blur: whether it is blurred, last.
        sigma: standard deviation of the blur in pixels.
    """

    gray: bool
    order: Sequence[int] | np.ndarray
    factors: Sequence[float] | np.ndarray | None
    blur: bool
    sigma: float


@MODELS.register_module()
class ClipViews(nn.Module):
    """Grey, colour jitter and blur of whole clips, drawn from their seeds.

    Args:
        gray_prob: how often colours are taken away.
        jitter: largest changes of brightness, contrast, saturation (factors 1 - x to
            1 + x) and hue (turns).
        jitter_prob: how often.
        blur_prob: how often.
        sigma: range of the blur's standard deviation, in pixels.
        sigma_per_clip: draw it for every view of a clip; False: once for the run.
        kernel: side of the blur's kernel as a share of the images'; 0.1 of 256 pixels
            are 25.

    Attributes:
        sigma_of_run: in the state dict, so that a resumed run goes on with it.

    Reference: arXiv:2308.09951. Official: shvdiwnkozbw/SMTC.

    Note:
        Officially one order of the four changes is drawn for a whole batch; here each
        clip has its own, so that a batch can be split over processes.
    """

    sigma_of_run: Tensor

    def __init__(
        self,
        gray_prob: float = 0.2,
        jitter: Sequence[float] = (0.4, 0.4, 0.4, 0.1),
        jitter_prob: float = 0.8,
        blur_prob: float = 0.5,
        sigma: Sequence[float] = (0.1, 2.0),
        sigma_per_clip: bool = False,
        kernel: float = 0.1,
    ) -> None:
        super().__init__()
        probs = (gray_prob, jitter_prob, blur_prob)
        if min(probs) < 0 or max(probs) > 1:
            raise ValueError(
                f'gray_prob, jitter_prob and blur_prob of ClipViews are {probs}; they '
                'lie in [0, 1].'
            )
        if len(jitter) != 4 or min(jitter) < 0 or max(jitter[:3]) > 1 or jitter[3] > 1:
            raise ValueError(
                f'jitter of ClipViews is {tuple(jitter)}; give brightness, contrast, '
                'saturation and hue, each in [0, 1].'
            )
        if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1] or not 0 < kernel <= 1:
            raise ValueError(
                f'sigma of ClipViews is {tuple(sigma)} and kernel {kernel}; give '
                '(smallest, largest) above 0, and a share in (0, 1].'
            )
        self.gray_prob, self.jitter_prob, self.blur_prob = probs
        self.low = np.array([*(1 - np.array(jitter[:3])), -jitter[3]])
        self.high = np.array([*(1 + np.array(jitter[:3])), jitter[3]])
        self.sigma, self.sigma_per_clip = (sigma[0], sigma[1]), sigma_per_clip
        self.kernel = kernel
        drawn = torch.empty(()).uniform_(*self.sigma)
        self.register_buffer('sigma_of_run', drawn)

    def draw(self, seeds: Sequence[int], stream: int) -> list[ViewDraw]:
        """A view of each clip.

        Args:
            seeds: of the clips.
            stream: number of the view, so that two views of a clip differ.
        """
        of_run = float(self.sigma_of_run)
        return [self._draw(seed, stream, of_run) for seed in seeds]

    def forward(self, clips: Tensor, draws: Sequence[ViewDraw]) -> Tensor:
        """Apply draws to clips.

        Args:
            clips: ``(b, t, 3, H, W)`` uint8, or float in [0, 1]. Not changed.
            draws: one for each clip.

        Returns:
            ``(b, t, 3, H, W)`` float32 in [0, 1].
        """
        if clips.dtype == torch.uint8:
            clips = clips.float() / 255
        pairs = zip(clips, draws, strict=True)
        return torch.stack([self._change(clip, drawn) for clip, drawn in pairs])

    def _draw(self, seed: int, stream: int, of_run: float) -> ViewDraw:
        rng = np.random.default_rng((seed, stream))
        gray, changed, blur = rng.random(3) < (
            self.gray_prob,
            self.jitter_prob,
            self.blur_prob,
        )
        order = rng.permutation(len(self.low))
        factors = self.low + (self.high - self.low) * rng.random(len(self.low))
        sigma = float(rng.uniform(*self.sigma)) if self.sigma_per_clip else of_run
        return ViewDraw(
            bool(gray), order, factors if changed else None, bool(blur), sigma
        )

    def _change(self, clip: Tensor, drawn: ViewDraw) -> Tensor:
        if drawn.gray:
            clip = augment.gray(clip)
        if drawn.factors is not None:
            clip = augment.jitter(clip, list(drawn.order), list(drawn.factors))
        if drawn.blur:
            clip = augment.gaussian_blur(clip, drawn.sigma, self._kernel(clip))
        return clip

    def _kernel(self, clip: Tensor) -> tuple[int, int]:
        """Odd sides of the blur's kernel, for example 25 of 256 pixels."""
        height, width = (
            math.floor(self.kernel * side) // 2 * 2 + 1 for side in clip.shape[-2:]
        )
        return height, width
