"""What slots of frames say: the frame before, areas of slots, which of them count."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .precision import full_precision


@full_precision
def previous_frame_products(maps: Tensor, grid: tuple[int, int]) -> Tensor:
    """Products of every place with all places of the frame before, in float32.

    The frame before is brought to one grid, bilinearly, so the result has as many
    channels at any size. Frame 0 looks at the last one of the clip.

    Args:
        maps: ``(b, t, c, h, w)``.
        grid: (rows, columns) of the frame before.

    Returns:
        ``(b, t, m, h * w)`` with m = rows * columns.
    """
    b, t = maps.shape[:2]
    resized = F.interpolate(maps.flatten(0, 1), grid, mode='bilinear')
    before = resized.unflatten(0, (b, t)).roll(1, dims=1).flatten(3)  # (b, t, c, m)
    return before.transpose(2, 3) @ maps.flatten(3)


def semantic_areas(semantic_dots: Tensor) -> Tensor:
    """Share of every semantic slot in each place: ``(..., s, n)``, sums over s to 1."""
    return semantic_dots.softmax(-2)


def instance_areas(semantic_dots: Tensor, instance_dots: Tensor) -> Tensor:
    """Share of every instance slot in each place, ``(..., s, p, n)``.

    The share of its semantic slot, divided among the instances of that slot.

    Args:
        semantic_dots: ``(..., s, n)`` logits.
        instance_dots: ``(..., s, p, n)`` logits.
    """
    shares = semantic_areas(semantic_dots)
    return shares[..., None, :] * instance_dots.softmax(-2)


@full_precision
def slot_similarity(semantic_slots: Tensor, instance_slots: Tensor) -> Tensor:
    """Cosine of instance slots and their semantic slot, ``(..., s, p)``.

    Args:
        semantic_slots: ``(..., s, c)``.
        instance_slots: ``(..., s, p, c)``.
    """
    return F.cosine_similarity(semantic_slots[..., None, :], instance_slots, dim=-1)


@torch.no_grad()
def valid_instances(
    semantic_dots: Tensor,
    semantic_slots: Tensor,
    instance_slots: Tensor,
    share_threshold: float = 0.3,
    area_threshold: float = 0.2,
    similarity_threshold: float = 0.5,
) -> Tensor:
    """Which instance slots take part in a loss, ``(..., s, p)`` bool, no gradient.

    Those whose semantic slot holds enough of the frame, and that are like it.

    Args:
        semantic_dots: ``(..., s, n)`` logits.
        semantic_slots: ``(..., s, c)``.
        instance_slots: ``(..., s, p, c)``.
        share_threshold: a place belongs to a semantic slot whose share is larger.
        area_threshold: the places of a semantic slot must be more than this share of
            all places.
        similarity_threshold: the cosine must be larger.

    Reference: arXiv:2308.09951. Official: shvdiwnkozbw/SMTC; ``share_threshold`` is 0.5
        in its first release (b577360), 0.3 since 4040186.
    """
    places = semantic_areas(semantic_dots) > share_threshold  # (..., s, n)
    large = places.float().mean(-1) > area_threshold
    similar = slot_similarity(semantic_slots, instance_slots) > similarity_threshold
    return large[..., None] & similar


def candidate_masks(
    areas: Tensor,
    grid: tuple[int, int],
    size: tuple[int, int],
    threshold: float = 0.3,
) -> Tensor:
    """Masks of slots at the size of a frame, ``(..., H, W)`` bool; they may overlap.

    Nearest enlargement, then from 0 at the least to 1 at the largest value of the
    frame, then above the threshold. An area that is the same everywhere has no mask.

    Args:
        areas: ``(..., n)`` shares, places row-major.
        grid: (rows, columns) of the places.
        size: (H, W).
        threshold: in [0, 1).

    Reference: official shvdiwnkozbw/SMTC ``eval_multi.py``.
    """
    maps = enlarge_areas(areas, grid, size)
    return stretched(maps) > threshold


def enlarge_areas(
    areas: Tensor, grid: tuple[int, int], size: tuple[int, int]
) -> Tensor:
    """``(..., n)`` areas of a grid to ``(..., H, W)``, nearest.

    Raises:
        ValueError: the grid has another number of places.
    """
    if grid[0] * grid[1] != areas.shape[-1]:
        raise ValueError(
            f'areas are {tuple(areas.shape)}, of {areas.shape[-1]} places; a grid of '
            f'{grid[0]}x{grid[1]} has {grid[0] * grid[1]}.'
        )
    maps = areas.reshape(areas[..., 0].numel(), 1, *grid)  # there may be no area
    return F.interpolate(maps, size, mode='nearest').view(*areas.shape[:-1], *size)


def stretched(maps: Tensor) -> Tensor:
    """``(..., H, W)`` maps from 0 at their least to 1 at their largest value."""
    least, most = maps.amin((-2, -1), True), maps.amax((-2, -1), True)
    spread = most - least
    return (maps - least) / torch.where(spread > 0, spread, torch.ones_like(spread))


def owners_of(areas: Tensor, masks: Tensor) -> Tensor:
    """Which candidate has each pixel to itself, ``(H, W)`` int64, -1 for none.

    The one of the largest share among those whose mask holds the pixel.

    Args:
        areas: ``(n, H, W)`` shares, not negative.
        masks: ``(n, H, W)`` bool.
    """
    if not len(areas):
        return areas.new_full(areas.shape[1:], -1, dtype=torch.long)
    shares, owners = areas.masked_fill(~masks, -1).max(0)
    return owners.masked_fill(shares < 0, -1)


def chunks_of(total: int, length: int) -> list[tuple[list[int], int]]:
    """Frames of a video in chunks, and how many of each are its own.

    A short last chunk is filled up with the last frames of the video, which come after
    its own ones.

    Args:
        total: frames of the video.
        length: frames of a chunk.

    Raises:
        ValueError: one of them is below 1.
    """
    if total < 1 or length < 1:
        raise ValueError(
            f'a video of {total} frames cannot be cut into chunks of {length}; both '
            'are at least 1.'
        )
    chunks = []
    for start in range(0, total, length):
        own = list(range(start, min(start + length, total)))
        missing = length - len(own)
        fill = [max(frame, 0) for frame in range(total - missing, total)]
        chunks.append((own + fill, len(own)))
    return chunks
