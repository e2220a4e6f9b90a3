"""Which size the network sees, and how points and maps come back from it.

No policy drops a row or a column of the image: a size that does not fit is resized or
padded, or refused. (A patch convolution alone drops what is left over at the right
and bottom border, while labels keep covering the full image.)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Size = tuple[int, int]

ROUNDINGS = ('exact', 'nearest', 'floor', 'ceil', 'pad')
SIDE_ROUNDINGS = ('nearest', 'floor')


@dataclass(frozen=True)
class SizePlan:
    """The way from an image to the network's input and back.

    The image is resized to ``resized_size``, then padded at the bottom and at the
    right to ``input_size``. All sizes are (height, width). Points are (x, y) in
    pixels, the centre of the first pixel is (0, 0).

    Args:
        image_size: size of the frame.
        resized_size: size of the frame after resizing.
        input_size: size of the network's input.
        align_corners: the resizer maps corner pixels to corner pixels.
    """

    image_size: Size
    resized_size: Size
    input_size: Size
    align_corners: bool = False

    @property
    def pad(self) -> Size:
        """Rows added below and columns added at the right."""
        return (
            self.input_size[0] - self.resized_size[0],
            self.input_size[1] - self.resized_size[1],
        )

    @property
    def native(self) -> bool:
        """Whether the network sees the image's own pixels, unpadded."""
        return self.image_size == self.input_size

    def to_input(self, points: Tensor) -> Tensor:
        """``(..., 2)`` points of the image to float64 points of the input."""
        scale, shift = self._affine(points)
        return points * scale + shift

    def to_image(self, points: Tensor) -> Tensor:
        """``(..., 2)`` points of the input to float64 points of the image."""
        scale, shift = self._affine(points)
        return (points - shift) / scale

    def pad_maps(self, maps: Tensor, value: float = 0.0) -> Tensor:
        """``(..., h, w)`` maps of the resized image, padded to the input."""
        self._check(maps, self.resized_size, 'resized image')
        bottom, right = self.pad
        return F.pad(maps, (0, right, 0, bottom), value=value)

    def crop_maps(self, maps: Tensor) -> Tensor:
        """``(..., H, W)`` maps of the input without the padded region."""
        self._check(maps, self.input_size, 'input')
        return maps[..., : self.resized_size[0], : self.resized_size[1]]

    def label_map_to_image(self, label_map: Tensor) -> Tensor:
        """``(H, W)`` label map of the input to the image's size, nearest pixel.

        Every pixel of the image takes the label at the place of its centre, so no
        label is mixed and the padded region is never read. With half-pixel centres
        the chosen pixels are those of Pillow's ``NEAREST``, bit for bit.
        """
        self._check(label_map, self.input_size, 'input')
        nearest = _corner_index if self.align_corners else _pillow_index
        rows, cols = (
            torch.tensor(nearest(image, resized), device=label_map.device)
            for image, resized in zip(self.image_size, self.resized_size, strict=True)
        )
        return label_map[rows[:, None], cols[None, :]]

    def _affine(self, points: Tensor) -> tuple[Tensor, Tensor]:
        sides = list(zip(self.image_size[::-1], self.resized_size[::-1], strict=True))
        if self.align_corners:
            scale = [(to - 1) / (side - 1) if side > 1 else 1.0 for side, to in sides]
            shift = [0.0, 0.0]
        else:
            scale = [to / side for side, to in sides]
            shift = [(s - 1) / 2 for s in scale]
        exact = points.new_tensor([scale, shift], dtype=torch.float64)  # (x, y)
        return exact[0], exact[1]

    def _check(self, maps: Tensor, size: Size, name: str) -> None:
        if tuple(maps.shape[-2:]) != size:
            raise ValueError(
                f'maps are {maps.shape[-2]}x{maps.shape[-1]}, the {name} of this plan '
                f'is {size[0]}x{size[1]}. Use the plan of the frame they come from.'
            )


def resolve_size(
    image_size: Size,
    *,
    short_side: int | None = None,
    long_multiple: int | None = None,
    side_rounding: str = 'nearest',
    fixed: Size | None = None,
    multiple: int = 1,
    rounding: str = 'exact',
    align_corners: bool = False,
) -> SizePlan:
    """The plan for an image of ``image_size``.

    First the wanted size, then its fit to ``multiple``:

    - nothing given: the image's own size;
    - ``short_side`` s: both sides times s / short side, rounded by ``side_rounding``:
      ``'nearest'`` is ``int(x + 0.5)`` (VFS, Spa-then-Temp), ``'floor'`` DUL;
    - ``short_side`` and ``long_multiple`` m (DINO, m = 64): the short side is s, the
      long one is rounded down to a multiple of m; a square counts as wide;
    - ``fixed`` (height, width): that size, the aspect ratio is not kept.

    Args:
        image_size: (H, W) of the frame.
        short_side: wanted short side, the aspect ratio is kept.
        long_multiple: the long side is rounded down to a multiple of this.
        side_rounding: how the sides that ``short_side`` gives become integers.
        fixed: wanted (height, width).
        multiple: the network takes sides that are multiples of this.
        rounding: what happens to other sides: ``'exact'`` refuses them,
            ``'nearest'``, ``'floor'`` and ``'ceil'`` resize, ``'pad'`` pads.
        align_corners: whether the resizer maps corners to corners.

    Raises:
        ValueError: an option is unknown or contradicts another one, or the size does
            not fit and ``rounding`` is ``'exact'``.
    """
    _check_options(short_side, long_multiple, side_rounding, fixed, multiple, rounding)
    if fixed is not None:
        wanted = (int(fixed[0]), int(fixed[1]))
    elif short_side is None:
        wanted = image_size
    elif long_multiple is not None:
        wanted = _floor_long_side(image_size, short_side, long_multiple)
    else:
        wanted = _scale_short_side(image_size, short_side, side_rounding)
    fitted = fit_multiple(wanted, multiple, rounding)
    resized = wanted if rounding == 'pad' else fitted
    return SizePlan(image_size, resized, fitted, align_corners)


def fit_multiple(size: Size, multiple: int, rounding: str) -> Size:
    """``size`` with both sides brought to a multiple (at least one multiple)."""
    if rounding == 'exact':
        if any(side % multiple for side in size):
            raise ValueError(misfit_message(size, multiple))
        return size
    fits: dict[str, Callable[[float], int]] = {
        'floor': math.floor,
        'nearest': lambda x: math.floor(x + 0.5),
        'ceil': math.ceil,
        'pad': math.ceil,
    }
    fit = fits[rounding]
    height, width = (max(fit(side / multiple), 1) * multiple for side in size)
    return height, width


def misfit_message(size: Size, multiple: int) -> str:
    """What to tell a user whose images do not fit the patches of a network."""
    lower, upper = (fit_multiple(size, multiple, rule) for rule in ('floor', 'ceil'))
    return (
        f'images are {size[0]}x{size[1]}, not a multiple of {multiple}. The sizes '
        f'around that fit are {lower[0]}x{lower[1]} and {upper[0]}x{upper[1]}. Set '
        f'size=dict(multiple={multiple}, rounding=...) in the protocol: '
        "'nearest', 'floor' or 'ceil' resizes the images, 'pad' pads them."
    )


def _floor_long_side(image_size: Size, short_side: int, multiple: int) -> Size:
    height, width = image_size
    if height > width:
        return int(short_side * height / width // multiple * multiple), short_side
    return short_side, int(short_side * width / height // multiple * multiple)


def _scale_short_side(image_size: Size, short_side: int, side_rounding: str) -> Size:
    scale = short_side / min(image_size)
    half = 0.5 if side_rounding == 'nearest' else 0.0
    height, width = (int(side * scale + half) for side in image_size)
    return height, width


def _pillow_index(image_side: int, resized_side: int) -> list[int]:
    """Pixel of the resized image under the centre of every pixel of the image.

    Steps are added up one after the other, as Pillow does it: where a centre falls on
    a border between two pixels, rounding decides, and so it decides alike.
    """
    step = resized_side / image_side
    steps = itertools.chain([step / 2], itertools.repeat(step, image_side - 1))
    return [min(int(x), resized_side - 1) for x in itertools.accumulate(steps)]


def _corner_index(image_side: int, resized_side: int) -> list[int]:
    """The same where corner pixels lie on corner pixels; halves are rounded up."""
    gaps = max(image_side - 1, 1)
    return [
        (2 * i * (resized_side - 1) + gaps) // (2 * gaps) for i in range(image_side)
    ]


def _check_options(
    short_side: int | None,
    long_multiple: int | None,
    side_rounding: str,
    fixed: Size | None,
    multiple: int,
    rounding: str,
) -> None:
    if rounding not in ROUNDINGS:
        raise ValueError(f'rounding is {rounding!r}, allowed are {ROUNDINGS}.')
    if side_rounding not in SIDE_ROUNDINGS:
        raise ValueError(
            f'side_rounding is {side_rounding!r}, allowed are {SIDE_ROUNDINGS}.'
        )
    if fixed is not None and short_side is not None:
        raise ValueError(
            f'fixed={fixed} and short_side={short_side} exclude one another. '
            'Remove one of them.'
        )
    if long_multiple is not None and short_side is None:
        raise ValueError(
            f'long_multiple={long_multiple} needs short_side. Set short_side, or use '
            'multiple and rounding for both sides.'
        )
    for name, value in [('multiple', multiple), ('short_side', short_side)]:
        if value is not None and value < 1:
            raise ValueError(f'{name} is {value}, it must be at least 1.')
