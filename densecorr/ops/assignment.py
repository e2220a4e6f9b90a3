"""Best one-to-one assignments of many small square tables at once."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

PERMUTATIONS_UP_TO = 5  # 120 permutations; from 6 on scipy takes less time
METHODS = ('auto', 'permutations', 'scipy')


@torch.no_grad()
def best_assignment(scores: Tensor, method: str = 'auto') -> Tensor:
    """Column of every row such that each column is taken once and the sum is largest.

    Args:
        scores: ``(..., p, p)``; finite.
        method: ``'permutations'`` compares all p! of them where the scores are;
            ``'scipy'`` takes the tables to the CPU, one by one; ``'auto'`` the first up
            to p = 5. Where several assignments have the largest sum, the two may
            differ.

    Returns:
        ``(..., p)`` int64 columns.

    Raises:
        ValueError: the tables are not square, or the method is unknown.
    """
    if scores.ndim < 2 or scores.shape[-1] != scores.shape[-2]:
        raise ValueError(
            f'scores are {tuple(scores.shape)}; an assignment needs square tables, '
            '(..., p, p).'
        )
    if method not in METHODS:
        raise ValueError(f'method is {method!r}; choose from {METHODS}.')
    size = scores.shape[-1]
    if method == 'scipy' or (method == 'auto' and size > PERMUTATIONS_UP_TO):
        return _by_scipy(scores)
    columns = _permutations(size, scores.device)  # (k, p)
    rows = torch.arange(size, device=scores.device)
    sums = scores[..., rows, columns].sum(-1)  # (..., k)
    return columns[sums.argmax(-1)]


@functools.lru_cache(maxsize=32)
def _permutations(size: int, device: torch.device) -> Tensor:
    """``(size!, size)`` int64."""
    found = list(itertools.permutations(range(size)))
    return torch.tensor(found, dtype=torch.long, device=device).view(-1, size)


def _by_scipy(scores: Tensor) -> Tensor:
    tables = scores.detach().double().cpu().numpy().reshape(-1, *scores.shape[-2:])
    found = [linear_sum_assignment(table, maximize=True)[1] for table in tables]
    columns = np.array(found, np.int64).reshape(scores.shape[:-1])
    return torch.from_numpy(columns).to(scores.device)
