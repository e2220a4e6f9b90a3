"""Soft matching of the positions of two feature maps, all to all or in windows.

The windowed forms never hold all pairs: queries are taken in blocks, each is multiplied
with the positions that one of its queries may see, and what leaves a block is small.
The backward pass makes the products of a block again.

Reference:
    Li and Liu, CVPR 2023 (Spa-then-Temp), Sec. 3. Official:
    qianduoduolr/Spa-then-Temp (4c94362).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .correlation_blocks import Block, blocks_of, samples_of
from .precision import full_precision
from .window import Window


class LocalMatches(NamedTuple):
    """Result of :func:`local_correlation`.

    Attributes:
        transported: ``(b, k, h, w)``, for every target position the mean of the source
            over the positions that it matches.
        windows: ``(b, h / cell, w / cell, d, d)``, affinity of every target cell with
            the cells around it; entry ``[..., p, q]`` is that with the cell ``(p - d //
            2, q - d // 2)`` rows and columns away, 0 outside the map. Sums to 1 over
            both.
    """

    transported: Tensor
    windows: Tensor


@full_precision
def global_correlation(
    target: Tensor, reference: Tensor, scale: float | None = None, unit: bool = False
) -> Tensor:
    """``softmax(<target_i, reference_j> * scale)`` over all reference positions.

    Args:
        target: ``(b, c, ...)`` features; what follows the channels are positions.
        reference: ``(b, c, ...)``, of one frame or of several.
        scale: of the products; None is ``1 / sqrt(c)``.
        unit: give every feature length 1 first.

    Returns:
        ``(b, q, m)``, rows sum to 1.
    """
    target, reference = target.flatten(2), reference.flatten(2)
    if unit:
        target, reference = F.normalize(target, dim=1), F.normalize(reference, dim=1)
    return (target.transpose(1, 2) @ reference * _scale(scale, target)).softmax(-1)


@full_precision
def dense_local_correlation(
    target: Tensor, reference: Tensor, radius: int, scale: float | None = None
) -> Tensor:
    """What :func:`local_correlation` means, with all pairs: ``(b, n, n)``.

    For tests and benchmarks; arguments as there.
    """
    _check_maps(target, reference, radius)
    allowed = Window('square', radius).allowed(*target.shape[2:]).to(target.device)
    products = target.flatten(2).transpose(1, 2) @ reference.flatten(2)
    scores = products * _scale(scale, target)
    return scores.masked_fill(~allowed, -torch.inf).softmax(-1)


@full_precision
def local_correlation(
    target: Tensor,
    reference: Tensor,
    source: Tensor,
    radius: int,
    scale: float | None = None,
    cell: int = 1,
) -> LocalMatches:
    """Softmax over the reference positions near each target position.

    Position j is seen by i where ``|dy| <= radius`` and ``|dx| <= radius``; windows are
    cut at the border. The affinity of two cells is the mean over the target's
    positions of the sum over the reference's.

    Args:
        target: ``(b, c, h, w)`` features.
        reference: ``(b, c, h, w)`` features.
        source: ``(b, k, h, w)``, what reference positions hold, such as colours.
        radius: inclusive, in positions.
        scale: of the products; None is ``1 / sqrt(c)``.
        cell: side of the cells of ``windows`` in positions.

    Raises:
        ValueError: shapes do not fit, the radius is not smaller than the map, or the
            map is no multiple of the cell.
    """
    _check_maps(target, reference, radius)
    if source.ndim != 4 or source.shape[0] != len(target):
        raise ValueError(
            f'source is {tuple(source.shape)}; give (b, k, h, w) with b of '
            f'{len(target)}.'
        )
    if source.shape[2:] != reference.shape[2:]:
        raise ValueError(
            f'source has {tuple(source.shape[2:])} positions, the reference '
            f'{tuple(reference.shape[2:])}. Take every n-th pixel of the image.'
        )
    if any(side % cell for side in target.shape[2:]):
        raise ValueError(
            f'a map of {tuple(target.shape[2:])} cannot be divided into cells of '
            f'{cell} x {cell}. Resize the images so that the levels are {cell}:1.'
        )
    scale = _scale(scale, target)
    found = _LocalCorrelation.apply(target, reference, source, radius, scale, cell)
    return LocalMatches(*found)


@full_precision
def displacement_volume(target: Tensor, reference: Tensor, radius: int) -> Tensor:
    """Products of every position with those around it, 0 outside the map.

    Args:
        target: ``(b, c, h, w)`` features.
        reference: ``(b, c, h, w)`` features.
        radius: inclusive, in positions.

    Returns:
        ``(b, h, w, d, d)`` with ``d = 2 * radius + 1``: entry ``[y, x, p, q]`` is
        ``<target[y, x], reference[y + p - radius, x + q - radius]>``. That is MMCV's
        ``Correlation(max_displacement=radius)``, the displacements last.

    Raises:
        ValueError: shapes do not fit, or the radius is not smaller than the map.
    """
    _check_maps(target, reference, radius)
    return _DisplacementVolume.apply(target, reference, radius)


class _LocalCorrelation(torch.autograd.Function):
    """:func:`local_correlation`; affinities are made again for the gradient."""

    @staticmethod
    def forward(
        ctx: Any,
        target: Tensor,
        reference: Tensor,
        source: Tensor,
        radius: int,
        scale: float,
        cell: int,
    ) -> tuple[Tensor, Tensor]:
        b, _, h, w = target.shape
        side = 2 * ((radius + cell - 1) // cell) + 1
        transported = target.new_empty(b, source.shape[1], h, w)
        windows = target.new_empty(b, h // cell, w // cell, side, side)
        for block in blocks_of(target, radius, cell):
            bias = block.bias(radius, target)
            for t, r, s, found, near in samples_of(
                target, reference, source, transported, windows
            ):
                _, _, affinity = _affinity(block, t, r, bias, scale)
                values = block.keys(s).flatten(2) @ affinity.transpose(1, 2)
                place = block.queries(found)
                place.copy_(values.view(place.shape))
                block.windows(near).copy_(block.gather(block.pooled(affinity)))
        ctx.save_for_backward(target, reference, source)
        ctx.settings = (radius, scale, cell)
        ctx.set_materialize_grads(False)
        return transported, windows

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_values: Tensor | None, grad_windows: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        target, reference, source = ctx.saved_tensors
        radius, scale, cell = ctx.settings
        none = (None,) * 3
        if grad_values is None and grad_windows is None:
            return (None, None, None, *none)
        if grad_values is None:
            grad_values = torch.zeros_like(target[:, : source.shape[1]])
        if grad_windows is None:  # nothing to split into parts
            grad_windows = target.new_empty(len(target), 0)
        grads = [torch.zeros_like(each) for each in (target, reference, source)]
        for block in blocks_of(target, radius, cell):
            bias = block.bias(radius, target)
            for t, r, s, grad, near, *out in samples_of(
                target, reference, source, grad_values, grad_windows, *grads
            ):
                q, k, affinity = _affinity(block, t, r, bias, scale)
                values = block.keys(s).flatten(2)  # (b, k, keys)
                wanted = block.queries(grad).flatten(2)  # (b, k, queries)
                if ctx.needs_input_grad[2]:
                    _add(block.keys(out[2]), wanted @ affinity)
                slope = wanted.transpose(1, 2) @ values  # (b, queries, keys)
                if near.ndim > 2:
                    slope += block.unpooled(block.scatter(block.windows(near)))
                slope = _softmax_slope(affinity, slope)
                _add(block.queries(out[0]), k @ slope.transpose(1, 2), scale)
                _add(block.keys(out[1]), q @ slope, scale)
        return (*grads, *none)


class _DisplacementVolume(torch.autograd.Function):
    """:func:`displacement_volume`."""

    @staticmethod
    def forward(ctx: Any, target: Tensor, reference: Tensor, radius: int) -> Tensor:
        b, _, h, w = target.shape
        side = 2 * radius + 1
        volume = target.new_empty(b, h, w, side, side)
        for block in blocks_of(target, radius):
            for t, r, out in samples_of(target, reference, volume):
                q, k = block.queries(t).flatten(2), block.keys(r).flatten(2)
                products = block.pooled(q.transpose(1, 2) @ k)
                block.windows(out).copy_(block.gather(products))
        ctx.save_for_backward(target, reference)
        ctx.radius = radius
        return volume

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        target, reference = ctx.saved_tensors
        grads = [torch.zeros_like(target), torch.zeros_like(reference)]
        for block in blocks_of(target, ctx.radius):
            for t, r, near, *out in samples_of(target, reference, grad, *grads):
                q, k = block.queries(t).flatten(2), block.keys(r).flatten(2)
                slope = block.unpooled(block.scatter(block.windows(near)))
                _add(block.queries(out[0]), k @ slope.transpose(1, 2))
                _add(block.keys(out[1]), q @ slope)
        return (*grads, None)


def _affinity(
    block: Block, target: Tensor, reference: Tensor, bias: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Features of a block ``(b, c, n)`` and its affinity ``(b, queries, keys)``."""
    q, k = block.queries(target).flatten(2), block.keys(reference).flatten(2)
    scores = torch.baddbmm(bias, q.transpose(1, 2), k, alpha=scale)
    return q, k, scores.softmax(-1)


def _softmax_slope(affinity: Tensor, slope: Tensor) -> Tensor:
    """Gradient of the scores of a softmax from that of its result, in place of it."""
    mean = torch.linalg.vecdot(affinity, slope)[..., None]
    return slope.sub_(mean).mul_(affinity)


def _add(place: Tensor, values: Tensor, scale: float = 1.0) -> None:
    place.add_(values.view(place.shape), alpha=scale)


def _scale(scale: float | None, feats: Tensor) -> float:
    return feats.shape[1] ** -0.5 if scale is None else scale


def _check_maps(target: Tensor, reference: Tensor, radius: int) -> None:
    if target.ndim != 4 or target.shape != reference.shape:
        raise ValueError(
            f'target is {tuple(target.shape)} and reference {tuple(reference.shape)}; '
            'both should be feature maps (b, c, h, w) of one shape.'
        )
    if not 0 <= radius < max(target.shape[2:]):
        raise ValueError(
            f'the radius of the windows is {radius}, the feature map '
            f'{tuple(target.shape[2:])}. Give a radius from 0 to '
            f'{max(target.shape[2:]) - 1}, or larger images.'
        )
