"""Images as rows of patches, and back."""

from __future__ import annotations

from torch import Tensor


def patchify(images: Tensor, size: int) -> Tensor:
    """``(b, 3, H, W)`` to ``(b, n, d)``, d = 3 * size * size, n row-major.

    The values of a patch are in the order row, column, channel.

    Raises:
        ValueError: H or W is no multiple of ``size``.
    """
    height, width = images.shape[-2:]
    if height % size or width % size:
        raise ValueError(
            f'images are {height}x{width}, not a multiple of patches of {size}. Resize '
            'or crop them in the pipeline.'
        )
    blocks = images.unflatten(3, (-1, size)).unflatten(2, (-1, size))
    return blocks.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def unpatchify(patches: Tensor, size: int, grid: tuple[int, int]) -> Tensor:
    """The inverse of :func:`patchify`: ``(b, h * w, d)`` to ``(b, 3, H, W)``.

    Args:
        patches: rows of patches.
        size: side of a patch in pixels.
        grid: (h, w) of the patches.

    Raises:
        ValueError: the grid has another number of patches, or d is not that of a patch.
    """
    b, n, d = patches.shape
    if n != grid[0] * grid[1] or d % (size * size):
        raise ValueError(
            f'patches are {tuple(patches.shape)}, which is no {grid[0]}x{grid[1]} grid '
            f'of patches of {size}x{size} pixels.'
        )
    blocks = patches.view(b, *grid, size, size, -1)  # (b, h, w, size, size, 3)
    return blocks.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)
