"""Changes of colour and sharpness of float images, where the images are.

Images are ``(..., 3, H, W)`` RGB in [0, 1]. Factor 1 of brightness, contrast and
saturation, and 0 of hue, change nothing. The formulas are torchvision's for tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import full_precision

_LUMA = (0.299, 0.587, 0.114)
_SECTORS = 6  # of the hue circle


def luma(images: Tensor) -> Tensor:
    """0.299 R + 0.587 G + 0.114 B, ``(..., 1, H, W)``."""
    weights = images.new_tensor(_LUMA).view(3, 1, 1)
    return (images * weights).sum(-3, keepdim=True)


def gray(images: Tensor) -> Tensor:
    """Luma in all three channels."""
    return luma(images).expand_as(images)


def brightness(images: Tensor, factor: float) -> Tensor:
    """Times a factor, within [0, 1]."""
    return (images * factor).clamp(0, 1)


def contrast(images: Tensor, factor: float) -> Tensor:
    """Away from the mean luma of each image."""
    mean = luma(images).mean((-3, -2, -1), keepdim=True)
    return (factor * images + (1 - factor) * mean).clamp(0, 1)


def saturation(images: Tensor, factor: float) -> Tensor:
    """Away from the luma of each pixel."""
    return (factor * images + (1 - factor) * luma(images)).clamp(0, 1)


def hue(images: Tensor, turns: float) -> Tensor:
    """Turn the hue of HSV by a share of the circle.

    Value and saturation stay, so a pixel is its largest channel less a part of its
    range that depends on the turned hue alone.
    """
    value, which = images.max(-3, keepdim=True)
    spread = value - images.amin(-3, keepdim=True)
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    red, green, blue = images.split(1, -3)
    sectors = torch.where(
        which == 0,
        (green - blue) / safe,
        torch.where(which == 1, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turned = sectors + _SECTORS * turns
    starts = images.new_tensor((5, 3, 1)).view(3, 1, 1)
    k = (starts + turned).remainder(_SECTORS)
    return value - spread * torch.minimum(k, 4 - k).clamp(0, 1)


JITTER = (brightness, contrast, saturation, hue)


def jitter(images: Tensor, order: Sequence[int], factors: Sequence[float]) -> Tensor:
    """Brightness, contrast, saturation and hue in a given order.

    Args:
        images: ``(..., 3, H, W)``.
        order: numbers of ``JITTER``, the first is applied first.
        factors: of brightness, contrast and saturation, and the turn of the hue.
    """
    for number in order:
        images = JITTER[number](images, float(factors[number]))
    return images


@full_precision
def gaussian_blur(images: Tensor, sigma: float, kernel: tuple[int, int]) -> Tensor:
    """Gaussian of standard deviation ``sigma`` pixels, mirrored at the borders.

    Args:
        images: ``(..., 3, H, W)``; both sides larger than half of the kernel's.
        sigma: positive.
        kernel: odd (height, width) of the Gaussian, which is cut off there.

    Raises:
        ValueError: the kernel is even or does not fit.
    """
    height, width = images.shape[-2:]
    reach = (kernel[0] // 2, kernel[1] // 2)
    if min(k % 2 for k in kernel) == 0 or reach[0] >= height or reach[1] >= width:
        raise ValueError(
            f'kernel of the blur is {tuple(kernel)} for images of {height}x{width}; '
            'both sides are odd, and half of them less than those of the images.'
        )
    planes = images.reshape(-1, 1, height, width)
    planes = F.pad(planes, (reach[1], reach[1], reach[0], reach[0]), mode='reflect')
    rows, columns = (_gaussian(planes, sigma, size) for size in kernel)
    planes = F.conv2d(planes, rows.view(1, 1, -1, 1))
    return F.conv2d(planes, columns.view(1, 1, 1, -1)).view_as(images)


def _gaussian(like: Tensor, sigma: float, size: int) -> Tensor:
    places = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    weights = (-places.square() / (2 * sigma**2)).exp()
    return weights / weights.sum()
