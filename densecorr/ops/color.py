"""Colour spaces on tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from .precision import full_precision

# Rec. ITU-R BT.709 primaries and the white point D65, as in OpenCV's colour conversion.
_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.950456, 1.0, 1.088754)
_DARK_SRGB = 0.04045  # below, sRGB is linear: x / 12.92
_DARK_XYZ = 216 / 24389  # below, the cube root is replaced by a line (CIE 15)
_SLOPE = 24389 / 27 / 116


@full_precision
def rgb_to_lab(images: Tensor) -> Tensor:
    """CIE LAB by the closed formula: L in [0, 100], a and b about in [-127, 127].

    OpenCV interpolates in tables: its values differ by up to 0.46, and by up to 4e-3
    where a and b are divided by 127 and L by 50.

    Args:
        images: ``(..., 3, H, W)`` sRGB in [0, 1].
    """
    linear = torch.where(
        images > _DARK_SRGB, ((images + 0.055) / 1.055) ** 2.4, images / 12.92
    )
    matrix = linear.new_tensor(_TO_XYZ) / linear.new_tensor(_WHITE)[:, None]
    xyz = torch.einsum('kc,...chw->...khw', matrix, linear)
    root = torch.where(
        xyz > _DARK_XYZ, xyz.clamp_min(_DARK_XYZ) ** (1 / 3), _SLOPE * xyz + 16 / 116
    )
    x, y, z = root.unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)
