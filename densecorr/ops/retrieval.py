"""Dense retrieval: labels of a patch from the most similar patches of a memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from .plan import parse_bytes
from .precision import full_precision

_QUERIES = 1024  # of a block; more do not make the product faster
_BYTES = 4 + 8 + 4  # of a score: itself, and what selecting from it takes

Search = Callable[[Tensor, int], tuple[Tensor, Tensor]]


def cell_shares(label_map: np.ndarray, grid: tuple[int, int], classes: int) -> Tensor:
    """Share of the pixels of every cell that each class has, ``(h, w, classes)``.

    Args:
        label_map: ``(H, W)`` classes; ``H`` and ``W`` are multiples of the grid's.
        grid: (h, w).
        classes: number of classes.

    Raises:
        ValueError: the size is no multiple of the grid, or labels are no classes.
    """
    (height, width), (h, w) = label_map.shape, grid
    if height % h or width % w:
        raise ValueError(
            f'the label map is {height}x{width}, no multiple of the {h}x{w} cells. '
            'Resize it.'
        )
    if label_map.size and int(label_map.max()) >= classes:
        raise ValueError(
            f'a label is {int(label_map.max())}; there are {classes} classes, from 0 '
            'on. Give the right num_classes.'
        )
    cells = label_map.reshape(h, height // h, w, width // w).swapaxes(1, 2)
    rows = cells.reshape(h * w, -1).astype(np.int64)
    pairs = rows + classes * np.arange(h * w)[:, None]
    counts = np.bincount(pairs.reshape(-1), minlength=h * w * classes)
    shares = counts.reshape(h, w, classes) / rows.shape[1]
    return torch.from_numpy(shares.astype(np.float32))


def sample_cells(shares: Tensor, number: int, uniform: Tensor) -> Tensor:
    """Cells of one image to remember, those of rare classes first: ``(number,)``.

    A cell scores the number of the image's cells that have one of its classes, summed
    over its classes, times a random number; the smallest scores are taken.

    Args:
        shares: ``(n, classes)`` of :func:`cell_shares`.
        number: at most n.
        uniform: ``(n,)`` in [0, 1).

    Reference: Balazevic et al. (Hummingbird), NeurIPS 2023, arXiv:2306.01667, Sec. 3;
        vpariza/open-hummingbird-eval (5e79da2) ``_sample_features``.
    """
    present = (shares > 0).double()
    scores = present @ present.sum(0) * uniform.double()
    return scores.argsort(stable=True)[:number]


@torch.no_grad()
@full_precision
def nearest_rows(
    queries: Tensor, memory: Tensor, number: int, max_memory: int | str = '256MB'
) -> tuple[Tensor, Tensor]:
    """The memory rows of the largest dot products, exactly: a block at a time.

    Args:
        queries: ``(q, c)``.
        memory: ``(m, c)``.
        number: of rows per query, at most m.
        max_memory: bound on what is allocated beside rows and results.

    Returns:
        values, descending, and rows, ``(q, number)`` each. Of equal values the row of
        the smaller number comes first.

    Raises:
        ValueError: the memory has fewer rows.
    """
    if not 0 < number <= len(memory):
        raise ValueError(
            f'{number} neighbours are wanted of a memory of {len(memory)} patches. '
            f'Give 1 to {len(memory)}, or a larger memory.'
        )
    rows = min(_QUERIES, len(queries))
    step = max(number, parse_bytes(max_memory) // (_BYTES * max(1, rows)))
    values = queries.new_full((len(queries), number), -torch.inf)
    index = torch.zeros(values.shape, dtype=torch.int64, device=queries.device)
    for start in range(0, len(memory), step):
        block = memory[start : start + step].t()
        for first in range(0, len(queries), rows):
            some = slice(first, first + rows)
            scores = queries[some] @ block
            best, place = scores.topk(min(number, scores.shape[1]), dim=1)
            merged = torch.cat([values[some], best], 1)
            places = torch.cat([index[some], place + start], 1)
            kept = _first(merged, places, number)
            values[some] = merged.gather(1, kept)
            index[some] = places.gather(1, kept)
    return values, index


def vote(values: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Labels of neighbours, weighted by a softmax of their similarities.

    Args:
        values: ``(q, k)`` cosines.
        labels: ``(q, k, classes)`` shares.
        temperature: divides the cosines.

    Returns:
        ``(q, classes)``.
    """
    weights = (values / temperature).softmax(dim=1)
    return (weights[:, None] @ labels)[:, 0]


def _first(values: Tensor, index: Tensor, number: int) -> Tensor:
    """Places of the largest values, equal ones by index."""
    by_index = index.argsort(dim=1, stable=True)
    order = values.gather(1, by_index).argsort(dim=1, descending=True, stable=True)
    return by_index.gather(1, order)[:, :number]
