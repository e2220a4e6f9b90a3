"""Joints to soft labels on the feature grid, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.ops.size_policy import SizePlan

PLACES = ('image', 'grid')
FIRST_OUTPUTS = ('decoded', 'resized')
_REACH = 3  # in sigmas: how far a Gaussian is drawn on either side


def gaussian_maps(points: np.ndarray, size: tuple[int, int], sigma: float) -> Tensor:
    """One map per point: a Gaussian of height 1 in a window of 3 sigma either way.

    Along each axis the window starts at ``first = int(p - 3 sigma)``, ends before
    ``int(p + 3 sigma + 1)``, and is cut at the border. Its values are
    ``exp(-(i - first - c)^2 / (2 sigma^2))`` with ``c = floor((6 sigma + 1) / 2)``, so
    that the peak lies on a cell. With sigma 0 the cell ``int(p)`` alone is 1.

    Args:
        points: ``(j, 2)`` (x, y) in cells, the centre of the first cell is (0, 0).
        size: (h, w) of the maps.
        sigma: in cells, 0 or more.

    Returns:
        ``(j, h, w)`` float32; zero for a point that is NaN or too far outside.

    Note: ``int`` drops the fraction, as it does in both published codes. So left of
        and above 3 sigma the peak lies one cell further than elsewhere.

    Reference: ajabri/videowalk 047f3f4 and qianduoduolr/Spa-then-Temp 4c94362, which
        draw the joints of JHMDB alike.
    """
    maps = np.zeros((len(points), *size))
    for out, (x, y) in zip(maps, points.tolist(), strict=True):
        if math.isfinite(x) and math.isfinite(y):
            across = _profile(x, size[1], sigma)
            out[:] = _profile(y, size[0], sigma)[:, None] * across
    return torch.from_numpy(maps.astype(np.float32))


def _profile(centre: float, length: int, sigma: float) -> np.ndarray:
    """``(length,)`` float64: the Gaussian along one axis."""
    cells = np.arange(length)
    if sigma == 0:
        return (cells == int(centre)).astype(np.float64)
    reach = _REACH * sigma
    first, end = int(centre - reach), int(centre + reach + 1)
    peak = first + math.floor((2 * reach + 1) / 2)
    values = np.exp(-((cells - peak) ** 2) / (2 * sigma**2))
    return np.where((cells >= first) & (cells < end), values, 0.0)


def add_background(maps: Tensor) -> Tensor:
    """``(j + 1, h, w)``: a first channel that is 1 where all ``(j, h, w)`` are 0."""
    empty = (maps == 0).all(0, keepdim=True)
    return torch.cat([empty.to(maps), maps])


def mean_of_top(maps: Tensor, topk: int) -> np.ndarray:
    """Where each map is high: mean place of its largest cells, by their values.

    Args:
        maps: ``(j, h, w)``, 0 or more.
        topk: how many cells count; all, if there are fewer.

    Returns:
        ``(j, 2)`` float64 (x, y) in cells; NaN where a map is zero.
    """
    width = maps.shape[2]
    flat = maps.flatten(1)
    values, indices = flat.topk(min(topk, flat.shape[1]), dim=1)
    weights, cells = values.cpu().double().numpy(), indices.cpu().numpy()
    places = np.stack([cells % width, cells // width], axis=-1)  # (j, k, 2)
    total = weights.sum(1)
    total[total <= 0] = np.nan
    return (weights[..., None] * places).sum(1) / total[:, None]


@dataclass(frozen=True)
class JointCodec:
    """How a protocol turns joints into soft labels and back.

    Joints are ``(j, 2)`` (x, y) in pixels of the image, NaN where one is lost.

    Args:
        draw: Gaussians are drawn in the ``'image'``, resized to the network's input
            (OpenCV's bilinear) and from there to the grid (Spa-then-Temp), or on the
            ``'grid'`` itself (CRW).
        sigma: of the Gaussians, in pixels of the image or cells of the grid.
        background: a first channel is 1 where no joint was drawn.
        decode: the largest values are looked for in maps enlarged to the ``'image'``,
            or on the ``'grid'``; cell x is then pixel ``x * W / w``, without a shift.
        topk: how many of them a joint is the mean of.
        first_output: what is written for frame 0: its soft labels ``'decoded'``, or
            the maps drawn in the image, ``'resized'`` to the input and back
            (Spa-then-Temp).

    Raises:
        ValueError: an option outside the allowed ones, or options that exclude one
            another.
    """

    draw: str
    sigma: float
    background: bool
    topk: int
    decode: str
    first_output: str = 'decoded'

    def __post_init__(self) -> None:
        for name, allowed in (
            ('draw', PLACES),
            ('decode', PLACES),
            ('first_output', FIRST_OUTPUTS),
            ('background', (True, False)),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f'{name} is {value!r}; it should be one of {allowed}.')
        if not 0 <= self.sigma < math.inf:
            raise ValueError(f'sigma is {self.sigma}; it should be 0 or more.')
        if self.topk < 1:
            raise ValueError(f'topk is {self.topk}; it should be at least 1.')
        if self.first_output == 'resized' and self.draw != 'image':
            raise ValueError(
                f"first_output 'resized' needs draw 'image', not {self.draw!r}: only "
                "maps of the image can be resized. Set first_output='decoded'."
            )

    def to_soft(
        self, joints: np.ndarray, plan: SizePlan, grid: tuple[int, int]
    ) -> Tensor:
        """``(c, h, w)`` float32 soft labels of the image's joints.

        ``c`` is the number of joints, and one more with a background.

        Raises:
            ValueError: joints are not ``(j, 2)``.
        """
        if self.draw == 'grid':
            _check_joints(joints)
            maps = gaussian_maps(
                joints * _cells_per_pixel(plan, grid), grid, self.sigma
            )
        else:
            maps = _resize(plan.pad_maps(self._input_maps(joints, plan)), grid)
        return add_background(maps) if self.background else maps

    def to_joints(self, soft: Tensor, plan: SizePlan) -> np.ndarray:
        """``(j, 2)`` float64 joints of the image from ``(c, h, w)`` soft labels."""
        maps = soft[1:] if self.background else soft
        if self.decode == 'grid':
            grid = (maps.shape[1], maps.shape[2])
            return mean_of_top(maps, self.topk) / _cells_per_pixel(plan, grid)
        if any(plan.pad):
            maps = plan.crop_maps(_resize(maps, plan.input_size))
        return mean_of_top(_resize(maps, plan.image_size), self.topk)

    def first_joints(
        self, joints: np.ndarray, soft: Tensor, plan: SizePlan
    ) -> np.ndarray:
        """``(j, 2)`` float64: what is written for frame 0."""
        if self.first_output == 'decoded':
            return self.to_joints(soft, plan)
        maps = _resize(self._input_maps(joints, plan), plan.image_size)
        return mean_of_top(maps, self.topk)

    def _input_maps(self, joints: np.ndarray, plan: SizePlan) -> Tensor:
        """``(j, H', W')`` maps drawn in the image, at the size of the resized one."""
        _check_joints(joints)
        maps = gaussian_maps(joints, plan.image_size, self.sigma)
        height, width = plan.resized_size
        resized = [
            cv2.resize(drawn, (width, height), interpolation=cv2.INTER_LINEAR)
            for drawn in maps.numpy()
        ]
        return torch.from_numpy(np.stack(resized))


def _check_joints(joints: np.ndarray) -> None:
    if joints.ndim != 2 or joints.shape[1] != 2 or not len(joints):
        raise ValueError(
            f'joints are of shape {joints.shape}; give (j, 2), x and y in pixels, for '
            'at least one joint.'
        )


def _cells_per_pixel(plan: SizePlan, grid: tuple[int, int]) -> np.ndarray:
    """``(2,)`` float64: cells of the grid per pixel of the image along x and y."""
    sides = zip(plan.resized_size, plan.image_size, grid, plan.input_size, strict=True)
    down, across = (
        resized / image * cells / side for resized, image, cells, side in sides
    )
    return np.array([across, down])


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """``(j, h, w)`` to another size: bilinear, half-pixel centres, no antialiasing."""
    resized = F.interpolate(maps[None], size, mode='bilinear', align_corners=False)
    return resized[0]
