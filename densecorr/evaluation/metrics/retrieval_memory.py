"""A memory of labelled patches, and how it is searched."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.evaluation.metrics.seed_jobs import labels_of
from densecorr.ops.retrieval import (
    Search,
    cell_shares,
    nearest_rows,
    sample_cells,
)
from densecorr.structures import LabelledImage
from densecorr.utils.mapped import release_pages
from densecorr.utils.randomness import item_rng

BACKENDS = ('torch', 'faiss')
VOID = 255
BACKGROUND = 0
_PAGES = 256  # images after which the memory of read features is given back


class Memory(NamedTuple):
    """Patches with their labels.

    Attributes:
        feats: ``(m, c)`` float32 of unit length.
        shares: ``(m, classes)`` float32, of the pixels of each patch.
    """

    feats: Tensor
    shares: Tensor


def patches_per_image(memory_size: int | None, images: int, cells: int) -> int:
    """Patches that are taken of every image.

    Raises:
        ValueError: the memory has no room for one of each.
    """
    if memory_size is None:
        return cells
    if memory_size < images:
        raise ValueError(
            f'memory_size is {memory_size}, less than one patch for each of the '
            f'{images} images. Give at least {images}, or None for all patches.'
        )
    return min(cells, memory_size // images)


def build_memory(
    images: Sequence[LabelledImage],
    maps: np.ndarray,
    places: Sequence[int],
    *,
    classes: int,
    memory_size: int | None,
    side: tuple[int, int],
    seed: int,
) -> Memory:
    """Patches of the images at ``places``, equally many of each.

    Void pixels are background. Patches of rare classes are preferred, see
    :func:`sample_cells`; the draw depends on the seed and the place of the image.

    Args:
        images: the dataset.
        maps: ``(n, h, w, c)`` features of all of it.
        places: of the images to remember.
        classes: number of classes.
        memory_size: patches, at most; None: all.
        side: (H, W) of the labels, made multiples of the grid.
        seed: of the draws.

    Raises:
        ValueError: labels are no classes, or the memory is too small; names it.
    """
    grid = (int(maps.shape[1]), int(maps.shape[2]))
    cells = grid[0] * grid[1]
    number = patches_per_image(memory_size, len(places), cells)
    size = tuple(max(1, round(s / g)) * g for s, g in zip(side, grid, strict=True))
    feats = torch.empty(len(places) * number, int(maps.shape[3]))
    shares = torch.empty(len(feats), classes)
    for place, i in enumerate(places):
        labels = labels_of(images[i], (size[0], size[1]))
        labels = np.where(labels == VOID, BACKGROUND, labels)
        try:
            found = cell_shares(labels, grid, classes).view(cells, classes)
        except ValueError as error:
            raise ValueError(f'{images[i].name}: {error}') from error
        rows = torch.from_numpy(np.array(maps[i])).float().view(cells, -1)
        if number < cells:
            uniform = item_rng(seed, 0, place).random(cells)
            chosen = sample_cells(found, number, torch.from_numpy(uniform))
            rows, found = rows[chosen], found[chosen]
        own = slice(place * number, (place + 1) * number)
        feats[own], shares[own] = F.normalize(rows, dim=1), found
        if place % _PAGES == 0:
            release_pages(maps)
    release_pages(maps)
    return Memory(feats, shares)


def make_search(
    memory: Tensor, backend: str = 'torch', max_memory: int | str = '256MB'
) -> Search:
    """A function of ``(q, c)`` queries and a number: cosines and rows.

    Args:
        memory: ``(m, c)`` of unit length.
        backend: ``'torch'``, :func:`nearest_rows`, or ``'faiss'``, an exact index of
            inner products on the CPU. Their results are equal but for rounding.
        max_memory: see :func:`nearest_rows`.

    Raises:
        ValueError: unknown backend.
        ImportError: faiss is not installed.
    """
    check_backend(backend)
    if backend == 'torch':
        return lambda queries, k: nearest_rows(queries, memory, k, max_memory)
    index = _import_faiss().IndexFlatIP(memory.shape[1])
    index.add(memory.cpu().numpy())
    return partial(_search_faiss, index)


def check_backend(backend: str) -> None:
    """Refuse unknown backends, and faiss where it is not installed.

    Raises:
        ValueError: unknown backend.
        ImportError: faiss is not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f'backend is {backend!r}; it should be one of {BACKENDS}.')
    if backend == 'faiss':
        _import_faiss()


def _search_faiss(index: Any, queries: Tensor, number: int) -> tuple[Tensor, Tensor]:
    if number > index.ntotal:
        raise ValueError(
            f'{number} neighbours are wanted of a memory of {index.ntotal} patches. '
            f'Give 1 to {index.ntotal}, or a larger memory.'
        )
    values, rows = index.search(queries.cpu().numpy(), number)
    found = (torch.from_numpy(values), torch.from_numpy(rows))
    return found[0].to(queries.device), found[1].to(queries.device)


def _import_faiss() -> Any:
    try:
        return importlib.import_module('faiss')
    except ImportError as error:
        raise ImportError(
            f"backend='faiss' needs faiss, which cannot be imported here ({error}). "
            "pip install faiss-cpu (or densecorr[faiss]), or take backend='torch'."
        ) from error
