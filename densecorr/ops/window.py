"""Which key positions a query position may look at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_SHAPES = ('square', 'circle', 'none')


@dataclass(frozen=True)
class Window:
    """A neighbourhood on the feature grid, the same for every query position.

    Args:
        shape: ``'square'`` compares ``max(|dy|, |dx|)`` with the radius, ``'circle'``
            the Euclidean distance; ``'none'`` allows every position.
        radius: in cells of the feature grid.
        inclusive: whether a position at exactly ``radius`` is allowed.

    Raises:
        ValueError: unknown shape, or a radius that allows no position at all.

    Reference:
        circle, exclusive: ajabri/videowalk (047f3f4); square, inclusive: DINO
        ``eval_video_segmentation.py``; both: Spa-then-Temp with ``range // 2``.
    """

    shape: str = 'none'
    radius: float = 0.0
    inclusive: bool = True

    def __post_init__(self) -> None:
        if self.shape not in _SHAPES:
            raise ValueError(
                f'window shape is {self.shape!r}; it should be one of {_SHAPES}.'
            )
        if self.shape != 'none' and self.reach < 0:
            raise ValueError(
                f'a window of radius {self.radius} (inclusive={self.inclusive}) allows '
                "no position. Take a larger radius, or shape='none' for no window."
            )

    @property
    def reach(self) -> int:
        """Largest ``|dy|`` or ``|dx|`` that is allowed; -1 without a window."""
        if self.shape == 'none':
            return -1
        if self.inclusive:
            return math.floor(self.radius)
        return math.ceil(self.radius) - 1

    def contains(self, dy: Tensor, dx: Tensor) -> Tensor:
        """Whether offsets are allowed; bool of the broadcast shape of ``dy, dx``."""
        if self.shape == 'none':
            return torch.ones_like(dy + dx, dtype=torch.bool)
        if self.shape == 'square':
            distance, limit = torch.maximum(dy.abs(), dx.abs()), self.radius
        else:  # squares of integers are exact, roots of them are not
            distance, limit = dy * dy + dx * dx, self.radius**2
        return distance <= limit if self.inclusive else distance < limit

    def allowed(self, h: int, w: int) -> Tensor:
        """The whole relation of an ``h x w`` grid as bool ``(h * w, h * w)``.

        For tests and pictures: propagation never builds it.
        """
        rows, cols = grid_positions(h, w)
        return self.contains(
            rows[:, None] - rows[None, :], cols[:, None] - cols[None, :]
        )


def grid_positions(
    h: int, w: int, device: torch.device | str | None = None
) -> tuple[Tensor, Tensor]:
    """Row and column of every cell in row-major order, each ``(h * w,)`` int64."""
    index = torch.arange(h * w, device=device)
    return torch.div(index, w, rounding_mode='floor'), index % w
