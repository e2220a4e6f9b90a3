"""Many feature vectors, a piece at a time: rows of a table, pixels of enlarged maps.

What clusters or projects points reads them through ``pieces`` and ``take``, so that a
memory-mapped float16 cache is never wholly in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.utils.mapped import release_pages

ENLARGEMENTS = ('bilinear', 'nearest')
Transform = Callable[[Tensor], Tensor]
_PICKED = 4096  # rows taken before the pages around them are given back


class Points(Protocol):
    """``(num, dim)`` float32 rows that need not exist all at once."""

    num: int
    dim: int

    def pieces(self, rows: int) -> Iterator[Tensor]:
        """All rows in order, about ``rows`` of them at a time, ``(m, dim)``."""

    def take(self, index: Tensor) -> Tensor:
        """Rows ``(m, dim)`` by their numbers ``(m,)``."""


class RowPoints:
    """Rows of a table.

    Args:
        rows: ``(n, d)`` tensor or array of any float type, memory-mapped or not.
        device: of the pieces; that of the tensor by default.
        transform: applied to every piece, ``(m, d)`` to ``(m, dim)``.
    """

    def __init__(
        self,
        rows: Tensor | np.ndarray,
        device: torch.device | str | None = None,
        transform: Transform | None = None,
    ) -> None:
        if rows.ndim != 2:
            raise ValueError(
                f'points are {tuple(rows.shape)}; they should be (points, channels).'
            )
        self.rows, self.device, self.transform = rows, device, transform
        self.num = int(rows.shape[0])
        self.dim = _out_dim(int(rows.shape[1]), transform, self._read(rows[:1]))

    def pieces(self, rows: int) -> Iterator[Tensor]:
        """See :class:`Points`."""
        for start in range(0, self.num, rows):
            yield self._piece(self.rows[start : start + rows])
            _release(self.rows)

    def take(self, index: Tensor) -> Tensor:
        """See :class:`Points`."""
        return self._piece(_picked(self.rows, index))

    def _piece(self, rows: Tensor | np.ndarray) -> Tensor:
        piece = self._read(rows)
        return piece if self.transform is None else self.transform(piece)

    def _read(self, values: Tensor | np.ndarray) -> Tensor:
        return as_float(values, self.device)


class MapPoints:
    """Pixels of feature maps that are enlarged when they are read.

    Args:
        maps: ``(n, h, w, c)`` tensor or array of any float type, memory-mapped or not.
        size: ``(H, W)`` to which every map is resized with half-pixel centres.
        how: ``'bilinear'``, or ``'nearest'`` for the cell ``floor(i * h / H)``.
        device: of the pieces; that of the tensor by default.
        transform: applied to the vectors of a map before it is enlarged, ``(m, c)`` to
            ``(m, dim)``; affine (a projection).

    Raises:
        ValueError: maps of another form, an empty size, an unknown ``how``.
    """

    def __init__(
        self,
        maps: Tensor | np.ndarray,
        size: tuple[int, int],
        how: str = 'bilinear',
        device: torch.device | str | None = None,
        transform: Transform | None = None,
    ) -> None:
        if maps.ndim != 4 or 0 in maps.shape:
            raise ValueError(
                f'maps are {tuple(maps.shape)}; they should be (images, h, w, channels)'
                ', none of them 0.'
            )
        if min(size) < 1:
            raise ValueError(f'size is {size}; give (H, W) of at least 1 pixel.')
        if how not in ENLARGEMENTS:
            raise ValueError(f'how is {how!r}; it should be one of {ENLARGEMENTS}.')
        self.maps, self.size, self.how = maps, size, how
        self.device, self.transform = device, transform
        self.num = int(maps.shape[0]) * size[0] * size[1]
        first = as_float(maps[:1, 0, 0], device)
        self.dim = _out_dim(int(maps.shape[3]), transform, first)

    def pieces(self, rows: int) -> Iterator[Tensor]:
        """See :class:`Points`: whole images, at least one."""
        height, width = self.size
        step = max(1, rows // (height * width))
        for start in range(0, len(self.maps), step):
            maps = as_float(self.maps[start : start + step], self.device)
            yield enlarge(self._seen(maps), self.size, self.how).flatten(0, 2)
            _release(self.maps)

    def take(self, index: Tensor) -> Tensor:
        """See :class:`Points`."""
        height, width = self.size
        h, w = (int(n) for n in self.maps.shape[1:3])
        image, row, col = unravelled(index, height, width)
        rows = neighbours(row, h, height, self.how)
        cols = neighbours(col, w, width, self.how)
        flat = self.maps.reshape(-1, self.maps.shape[3])
        total: Tensor | float = 0.0
        for y, row_share in rows:
            for x, col_share in cols:
                corner = as_float(_picked(flat, (image * h + y) * w + x), self.device)
                share = (row_share * col_share)[:, None].to(corner.device)
                total = total + share * self._seen(corner)
        assert isinstance(total, Tensor)
        return total

    def _seen(self, values: Tensor) -> Tensor:
        if self.transform is None:
            return values
        return self.transform(values.reshape(-1, values.shape[-1])).view(
            *values.shape[:-1], self.dim
        )


def enlarge(maps: Tensor, size: tuple[int, int], how: str = 'bilinear') -> Tensor:
    """Resize ``(n, h, w, c)`` maps to ``(n, H, W, c)``, see :class:`MapPoints`."""
    if tuple(maps.shape[1:3]) == tuple(size):
        return maps
    channels_first = maps.permute(0, 3, 1, 2)
    if how == 'nearest':
        resized = F.interpolate(channels_first, size, mode='nearest')
    else:
        resized = F.interpolate(
            channels_first, size, mode='bilinear', align_corners=False
        )
    return resized.permute(0, 2, 3, 1)


def unravelled(index: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Image, row and column of pixel numbers."""
    pixel = index % (height * width)
    return index // (height * width), pixel // width, pixel % width


def neighbours(
    place: Tensor, cells: int, pixels: int, how: str
) -> list[tuple[Tensor, Tensor]]:
    """Cells that a pixel of an enlarged axis is made of, with their shares.

    Args:
        place: ``(m,)`` pixels of the enlarged axis.
        cells: length of the axis before.
        pixels: its length after.
        how: see :class:`MapPoints`.
    """
    if how == 'nearest':
        return [(place * cells // pixels, torch.ones(len(place)))]
    centre = ((place.double() + 0.5) * cells / pixels - 0.5).clamp_min(0)
    low = centre.floor().long().clamp_max(cells - 1)
    share = (centre - low).float()
    return [(low, 1 - share), ((low + 1).clamp_max(cells - 1), share)]


def as_float(
    values: Tensor | np.ndarray, device: torch.device | str | None = None
) -> Tensor:
    """Float32 tensor of a piece; memory-mapped pieces are copied."""
    if isinstance(values, np.ndarray):
        values = torch.from_numpy(np.array(values))
    return values.to(device=device or values.device, dtype=torch.float32)


def _picked(rows: Tensor | np.ndarray, index: Tensor) -> Tensor | np.ndarray:
    if not isinstance(rows, np.ndarray):
        return rows[index.to(rows.device)]
    numbers = index.cpu().numpy()
    picked = np.empty((len(numbers), *rows.shape[1:]), rows.dtype)
    for start in range(0, len(numbers), _PICKED):
        chosen = slice(start, start + _PICKED)
        picked[chosen] = rows[numbers[chosen]]
        release_pages(rows)
    return picked


def _release(rows: Tensor | np.ndarray) -> None:
    """Give back what was read.

    Readers should not keep a small result of every piece: glibc cannot reuse the place
    of a large block that lies before it, and memory grows by the size of all pieces.
    """
    if isinstance(rows, np.ndarray):
        release_pages(rows)


def _out_dim(channels: int, transform: Transform | None, row: Tensor) -> int:
    if transform is None or not len(row):
        return channels
    return int(transform(row).shape[-1])
