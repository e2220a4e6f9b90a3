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
        ctx.save_for_backward(target, reference, source)
        ctx.settings = (radius, scale, cell)
        ctx.set_materialize_grads(False)
        maps = _last(target, reference, source)
        b, h, w, channels = maps[2].shape
        side = 2 * ((radius + cell - 1) // cell) + 1
        transported = target.new_empty(b, h, w, channels)
        windows = target.new_empty(b, h // cell, w // cell, side, side)
        for block in blocks_of(maps[0], radius, cell):
            bias = block.bias(radius, target)
            for t, r, s, found, near in samples_of(*maps, transported, windows):
                _, _, affinity = _affinity(block, t, r, bias, scale)
                _put(block.queries(found), affinity @ _flat(block.keys(s)))
                block.windows(near).copy_(block.gather(block.pooled(affinity)))
        return transported.movedim(-1, 1), windows

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_values: Tensor | None, grad_windows: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        radius, scale, cell = ctx.settings
        none = (None,) * 3
        if grad_values is None and grad_windows is None:
            return (None, None, None, *none)
        maps = _last(*ctx.saved_tensors)
        if grad_values is None:
            wanted = torch.zeros_like(maps[2])
        else:
            (wanted,) = _last(grad_values)
        if grad_windows is None:  # nothing to split into samples
            grad_windows = wanted.new_empty(len(wanted), 0)
        grads = [torch.zeros_like(each) for each in maps]
        for block in blocks_of(maps[0], radius, cell):
            bias = block.bias(radius, wanted)
            for t, r, s, g, near, *out in samples_of(
                *maps, wanted, grad_windows, *grads
            ):
                q, k, affinity = _affinity(block, t, r, bias, scale)
                values, slope = _flat(block.keys(s)), _flat(block.queries(g))
                if ctx.needs_input_grad[2]:
                    _add(block.keys(out[2]), affinity.transpose(1, 2) @ slope)
                slope = slope @ values.transpose(1, 2)  # (b, queries, keys)
                if near.ndim > 2:
                    slope += block.unpooled(block.scatter(block.windows(near)))
                slope = _softmax_slope(affinity, slope)
                _add(block.queries(out[0]), slope @ k, scale)
                _add(block.keys(out[1]), slope.transpose(1, 2) @ q, scale)
        return (*(each.movedim(-1, 1) for each in grads), *none)


class _DisplacementVolume(torch.autograd.Function):
    """:func:`displacement_volume`."""

    @staticmethod
    def forward(ctx: Any, target: Tensor, reference: Tensor, radius: int) -> Tensor:
        ctx.save_for_backward(target, reference)
        ctx.radius = radius
        maps = _last(target, reference)
        side = 2 * radius + 1
        volume = target.new_empty(*maps[0].shape[:3], side, side)
        for block in blocks_of(maps[0], radius):
            for t, r, out in samples_of(*maps, volume):
                q, k = _flat(block.queries(t)), _flat(block.keys(r))
                products = block.pooled(q @ k.transpose(1, 2))
                block.windows(out).copy_(block.gather(products))
        return volume

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        maps = _last(*ctx.saved_tensors)
        grads = [torch.zeros_like(each) for each in maps]
        for block in blocks_of(maps[0], ctx.radius):
            for t, r, near, *out in samples_of(*maps, grad, *grads):
                q, k = _flat(block.queries(t)), _flat(block.keys(r))
                slope = block.unpooled(block.scatter(block.windows(near)))
                _add(block.queries(out[0]), slope @ k)
                _add(block.keys(out[1]), slope.transpose(1, 2) @ q)
        return (*(each.movedim(-1, 1) for each in grads), None)


def _last(*maps: Tensor) -> list[Tensor]:
    """``(b, c, h, w)`` maps as ``(b, h, w, c)``: what blocks copy lies in one piece."""
    return [each.movedim(1, -1).contiguous() for each in maps]


def _flat(maps: Tensor) -> Tensor:
    """``(b, h, w, c)`` to ``(b, n, c)``."""
    return maps.flatten(1, 2)


def _affinity(
    block: Block, target: Tensor, reference: Tensor, bias: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Features of a block ``(b, n, c)`` and its affinity ``(b, queries, keys)``."""
    q, k = _flat(block.queries(target)), _flat(block.keys(reference))
    scores = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=scale)
    return q, k, scores.softmax(-1)


def _softmax_slope(affinity: Tensor, slope: Tensor) -> Tensor:
    """Gradient of the scores of a softmax from that of its result, in place of it."""
    mean = torch.linalg.vecdot(affinity, slope)[..., None]
    return slope.sub_(mean).mul_(affinity)


def _put(place: Tensor, values: Tensor) -> None:
    place.copy_(values.view(place.shape))


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
