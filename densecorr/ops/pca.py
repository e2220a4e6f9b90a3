"""Standardise channels and keep the directions of largest variance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .points import Points
from .precision import full_precision

_ROWS = 8192  # points whose products are summed in float32 before float64 takes over


@dataclass(frozen=True)
class Projection:
    """An affine map of feature vectors, made by :func:`fit_projection`.

    Attributes:
        mean: ``(c,)`` subtracted.
        components: ``(dim, c)`` rows that the rest is multiplied with: directions of
            unit length in standardised channels, divided by the deviations.
        variance: ``(dim,)`` population variances of the results, descending.
    """

    mean: Tensor
    components: Tensor
    variance: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """Project ``(..., c)`` vectors to ``(..., dim)`` float32."""
        mean, components = self.mean, self.components
        return (rows.float() - mean.to(rows.device)) @ components.to(rows.device).t()


@torch.no_grad()
@full_precision
def fit_projection(
    points: Points, dim: int | None = None, standardize: bool = True
) -> Projection:
    """Standardisation and principal components of points, centred and not whitened.

    Every channel gets mean 0 and (population) deviation 1, then the ``dim`` directions
    of largest variance are kept. A constant channel becomes 0. The sign of a direction
    is such that its largest entry (the first of equals) is positive, so that equal
    points give equal projections.

    Args:
        points: what is fitted on.
        dim: directions to keep; None: all channels, standardised and not turned.
        standardize: False only centres.

    Raises:
        ValueError: ``dim`` outside of 1 to the number of channels, or points that are
            not finite.

    Reference:
        Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796: 50 directions; official:
        SMSD75/Timetuning (94550b5).
    """
    if dim is not None and not 1 <= dim <= points.dim:
        raise ValueError(
            f'dim is {dim}; features of {points.dim} channels have 1 to {points.dim} '
            'directions. Give fewer, or dim=None to keep the channels.'
        )
    mean = _mean(points)
    if not mean.isfinite().all():
        raise ValueError(
            'the features hold NaN or infinity. Check the weights of the backbone.'
        )
    if dim is None:
        spread = _second_moments(points, mean, diagonal=True)
    else:
        covariance = _second_moments(points, mean)
        spread = covariance.diagonal()
    constant = spread <= torch.finfo(torch.float32).eps ** 2 * mean.square()
    scale = torch.ones_like(spread)
    if standardize:
        scale = torch.where(constant, 0.0, spread.clamp_min(0).rsqrt())
    if dim is None:
        components, variance = scale.diag(), spread * scale.square()
    else:
        scaled = scale[:, None] * covariance * scale
        variance, vectors = torch.linalg.eigh((scaled + scaled.t()) / 2)
        variance = variance.flip(0)[:dim].clamp_min(0)
        directions = vectors.flip(1)[:, :dim].t()
        components = _signed(directions) * scale
    return Projection(mean.float(), components.float(), variance.float())


def _mean(points: Points) -> Tensor:
    total: Tensor | None = None
    for piece in points.pieces(_ROWS):  # one total: see _release of points.py
        part = piece.sum(0, dtype=torch.float64)
        total = part if total is None else total.add_(part)
    assert total is not None
    return total / points.num


def _second_moments(points: Points, mean: Tensor, diagonal: bool = False) -> Tensor:
    """Population covariance ``(c, c)`` float64, or its diagonal ``(c,)``."""
    total = mean.new_zeros(points.dim if diagonal else (points.dim, points.dim))
    centre = mean.float()
    for piece in points.pieces(_ROWS):
        centred = piece - centre
        total += centred.square().sum(0) if diagonal else centred.t() @ centred
    return total / points.num


def _signed(directions: Tensor) -> Tensor:
    largest = directions.abs().argmax(1, keepdim=True)
    return directions * directions.gather(1, largest).sign()
