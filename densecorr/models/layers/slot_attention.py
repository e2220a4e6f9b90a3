"""Slots that compete for the places of a frame, in two stages with common weights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from densecorr.registry import MODELS

MASKS = ('hard', 'hard_share', 'soft')
_EPS = 1e-8  # added to shares, as in SMTC; with hard masks also to their sums


class Slots(NamedTuple):
    """Result of both stages for frames ``f``.

    Attributes:
        semantic_slots: ``(f, s, c)``.
        semantic_dots: ``(f, s, n)``, logits of the last refinement.
        instance_slots: ``(f, s, p, c)``.
        instance_dots: ``(f, s, p, n)``.
    """

    semantic_slots: Tensor
    semantic_dots: Tensor
    instance_slots: Tensor
    instance_dots: Tensor


@MODELS.register_module()
class SemanticSlotAttention(nn.Module):
    """Semantic slots first, then instance slots inside the area of each of them.

    Stage 1 starts from the means of Gaussians, stage 2 from samples of the same
    Gaussians, weights of a place outside of the semantic slot's area are masked. Slots
    are refined without a gate: s += A v, s += MLP(norm(s)). Only the last refinement
    has a gradient.

    Args:
        channels: of features and slots.
        num_slots: semantic slots, the Gaussians.
        num_instances: samples of each Gaussian.
        iterations: refinements of each stage.
        area: of a semantic slot. ``'soft'``: its share of each place; ``'hard'``: where
            its logit is above ``area_threshold``; ``'hard_share'``: where its share is.
        area_threshold: see ``area``.
        reparameterized: samples pass gradients on to the Gaussians. False: means learn
            from stage 1 alone, and the gradient of the deviations is zero (not absent,
            so that an optimiser still decays them).

    Reference: "Semantics Meets Temporal Correspondence", ICCV 2023, arXiv:2308.09951.
        Official: shvdiwnkozbw/SMTC, ``'soft'`` in the first release (b577360),
        ``'hard'`` since 4040186.

    Note:
        The paper speaks of learnable Gaussians; the official sampling passes no
        gradient, which is the default here. The official hard area compares raw logits,
        too, which depend on biases that the softmax cancels (``project_q.bias``,
        ``norm_slots.bias``): their gradient is rounding noise.
    """

    def __init__(
        self,
        channels: int,
        num_slots: int = 16,
        num_instances: int = 4,
        iterations: int = 3,
        area: str = 'hard',
        area_threshold: float = 0.3,
        reparameterized: bool = False,
    ) -> None:
        super().__init__()
        if area not in MASKS:
            raise ValueError(
                f'area of SemanticSlotAttention is {area!r}; choose from {MASKS}.'
            )
        if min(num_slots, num_instances, iterations) < 1:
            raise ValueError(
                f'num_slots of SemanticSlotAttention is {num_slots}, num_instances '
                f'{num_instances}, iterations {iterations}; each is at least 1.'
            )
        self.num_slots, self.num_instances = num_slots, num_instances
        self.iterations, self.reparameterized = iterations, reparameterized
        self.area, self.area_threshold = area, area_threshold
        self.slots_mu = nn.Parameter(torch.randn(1, num_slots, 1, channels))
        self.slots_sigma = nn.Parameter(torch.empty(1, num_slots, 1, channels))
        nn.init.xavier_uniform_(self.slots_sigma)
        self.norm_input = nn.LayerNorm(channels)
        self.norm_slots = nn.LayerNorm(channels)
        self.norm_pre_ff = nn.LayerNorm(channels)
        self.project_q = nn.Linear(channels, channels)
        self.project_k = nn.Linear(channels, channels)
        self.project_v = nn.Linear(channels, channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels)
        )

    def forward(self, feats: Tensor, noise: Tensor) -> Slots:
        """Both stages.

        Args:
            feats: ``(f, n, c)`` of frames.
            noise: ``(f, s, p, c)``, normal.

        Raises:
            ValueError: shapes do not fit.
        """
        wanted = (len(feats), self.num_slots, self.num_instances, feats.shape[-1])
        if feats.ndim != 3 or tuple(noise.shape) != wanted:
            raise ValueError(
                f'feats are {tuple(feats.shape)} and noise {tuple(noise.shape)}; give '
                f'(f, n, c) and (f, s, p, c), here with s = {self.num_slots}, p = '
                f'{self.num_instances}.'
            )
        inputs = self.norm_input(feats)
        keys, values = self.project_k(inputs), self.project_v(inputs)
        means = self.slots_mu.transpose(1, 2).expand(len(feats), -1, -1, -1)
        slots, dots = self._refine(means, keys, values)  # (f, 1, s, c), (f, 1, s, n)
        area = self._area(dots[:, 0])[:, :, None]  # (f, s, 1, n)
        found = self._refine(self._sample(noise), keys, values, area)
        return Slots(slots[:, 0], dots[:, 0], *found)

    def _sample(self, noise: Tensor) -> Tensor:
        """Instance slots to start from, ``(f, s, p, c)``."""
        samples = self.slots_mu + self.slots_sigma.exp() * noise
        if self.reparameterized:
            return samples
        return samples.detach() + 0 * self.slots_sigma

    def _area(self, dots: Tensor) -> Tensor:
        """Where instances of a semantic slot may look, ``(f, s, n)`` logits to it."""
        if self.area == 'hard':
            return (dots > self.area_threshold).to(dots.dtype)
        shares = dots.softmax(1)
        if self.area == 'soft':
            return shares
        return (shares > self.area_threshold).to(dots.dtype)

    def _refine(
        self, start: Tensor, keys: Tensor, values: Tensor, area: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """All refinements of ``(f, g, k, c)`` slots; the k of a group compete."""
        slots = start
        with torch.no_grad():
            for _ in range(self.iterations - 1):
                slots, _ = self._step(slots, keys, values, area)
        slots = (slots - start).detach() + start
        return self._step(slots, keys, values, area)

    def _step(
        self, slots: Tensor, keys: Tensor, values: Tensor, area: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """One refinement: slots, and the logits ``(f, g, k, n)`` that led to them."""
        groups = slots.shape[1:3]
        queries = self.project_q(self.norm_slots(slots)) * slots.shape[-1] ** -0.5
        dots = queries.flatten(1, 2) @ keys.transpose(1, 2)  # (f, g * k, n)
        dots = dots.unflatten(1, groups)
        weights = dots.softmax(2) + _EPS
        total_eps = 0.0
        if area is not None:
            weights = weights * area
            total_eps = 0.0 if self.area == 'soft' else _EPS
        weights = weights / (weights.sum(-1, keepdim=True) + total_eps)
        updates = weights.flatten(1, 2) @ values  # (f, g * k, c)
        slots = slots + updates.unflatten(1, groups)
        return slots + self.mlp(self.norm_pre_ff(slots)), dots
