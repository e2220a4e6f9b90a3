"""Balanced assignments and transport plans by Sinkhorn's iterations."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .precision import full_precision

_FIRST = ('rows', 'columns')
_SAFE = 60.0  # exp(-60) and its inverse are far from the ends of float32


@torch.no_grad()
@full_precision
def sinkhorn_plan(
    scores: Tensor,
    *,
    epsilon: float = 0.05,
    iterations: int = 3,
    rows: Tensor | None = None,
    columns: Tensor | None = None,
    first: str = 'rows',
    gather: Callable[[Tensor], Tensor] | None = None,
    bound: float | None = None,
) -> Tensor:
    """Entropic transport plan between rows and columns, without gradient.

    The plan is ``diag(u) exp(scores / epsilon) diag(v)``. An iteration scales ``u`` so
    that the rows have their masses, then ``v`` so that the columns have theirs (or the
    other way round): after the last one only the side scaled last has its masses
    exactly. A cost is a negative score, and a constant added to all scores changes
    nothing.

    Everything is computed on logarithms, so that no score and no ``epsilon``
    overflows and no row vanishes; with a ``bound`` on products, where they cannot
    overflow either, in a fraction of the time.

    Args:
        scores: ``(..., q, m)``, larger for pairs that belong together.
        epsilon: regularisation; smaller makes the plan sharper.
        iterations: number of iterations, each scales both sides.
        rows: ``(..., q)`` masses of the rows, not negative; equal by default, summing
            to 1 over all processes.
        columns: ``(..., m)`` masses of the columns with the same sum; equal by
            default, summing to 1.
        first: the side that an iteration scales first, ``'rows'`` or ``'columns'``.
        gather: where the rows are spread over processes: a function that stacks the
            tensors of all processes, ``(...)`` to ``(processes, ...)``. The columns are
            common to all. :func:`densecorr.utils.ranks.gather_ranks` does it.
        bound: scores are known to lie in [-bound, bound], as cosines do in [-1, 1].

    Returns:
        ``(..., q, m)`` float32 (float64 for float64 scores): the plan's part that
        belongs to the rows of this process.

    Raises:
        ValueError: an argument outside of its range, or masses of another shape.

    Reference:
        Cuturi, NeurIPS 2013, arXiv:1306.0895, Alg. 1; SMTC takes three iterations
        with ``epsilon=0.05`` and the rows first.
    """
    if bound is not None and gather is None and 2 * bound <= _SAFE * epsilon:
        return _by_products(scores, epsilon, iterations, rows, columns, first, bound)
    kernel, u, v = _balanced(scores, epsilon, iterations, rows, columns, first, gather)
    return (kernel + u[..., :, None] + v[..., None, :]).exp()


@torch.no_grad()
@full_precision
def sinkhorn_assignment(
    scores: Tensor,
    *,
    epsilon: float = 0.05,
    iterations: int = 10,
    gather: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Assign samples to prototypes so that all prototypes are used alike.

    The columns are scaled first, then the rows, and in the result every row sums to 1.

    Args:
        scores: ``(n, p)`` cosines of samples and prototypes.
        epsilon: as in :func:`sinkhorn_plan`.
        iterations: as in :func:`sinkhorn_plan`. Ten do not converge at 0.05: a
            published number belongs to its number of iterations.
        gather: as in :func:`sinkhorn_plan`, where the samples are spread over
            processes.

    Returns:
        ``(n, p)`` float32 (float64 for float64 scores).

    Raises:
        ValueError: as :func:`sinkhorn_plan`.

    Reference:
        Asano et al., ICLR 2020, arXiv:1911.05371, Sec. 3; Caron et al. (SwAV),
        NeurIPS 2020, arXiv:2006.09882, Sec. 3.1; Salehi et al. (TimeT), ICCV 2023,
        arXiv:2308.11796, Sec. 3.2.
    """
    kernel, _, v = _balanced(scores, epsilon, iterations, None, None, 'columns', gather)
    return (kernel + v).softmax(-1)


def _balanced(
    scores: Tensor,
    epsilon: float,
    iterations: int,
    rows: Tensor | None,
    columns: Tensor | None,
    first: str,
    gather: Callable[[Tensor], Tensor] | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Logarithms of the kernel and of the scalings ``u`` ``(..., q)``, ``v``."""
    _check(scores, epsilon, iterations, first)
    shape = scores.shape
    column_shape = torch.Size((*shape[:-2], shape[-1]))
    log_rows = _log_masses('rows', rows, shape[:-1], scores)
    log_columns = _log_masses('columns', columns, column_shape, scores)
    if rows is None:
        log_rows = log_rows - _total_rows(scores, gather).log()
    if columns is None:
        log_columns = log_columns - math.log(shape[-1])
    kernel = scores / epsilon
    u, v = torch.zeros_like(log_rows), torch.zeros_like(log_columns)
    for step in range(2 * iterations):
        if (step % 2 == 0) == (first == 'rows'):
            u = log_rows - (kernel + v[..., None, :]).logsumexp(-1)
        else:
            sums = (kernel + u[..., :, None]).logsumexp(-2)  # (..., m)
            if gather is not None:
                sums = gather(sums).logsumexp(0)
            v = log_columns - sums
    return kernel, u, v


def _by_products(
    scores: Tensor,
    epsilon: float,
    iterations: int,
    rows: Tensor | None,
    columns: Tensor | None,
    first: str,
    bound: float,
) -> Tensor:
    """The plan of scores in [-bound, bound]."""
    _check(scores, epsilon, iterations, first)
    q, m = scores.shape[-2:]
    shapes = torch.Size((*scores.shape[:-2], q)), torch.Size((*scores.shape[:-2], m))
    row_masses = _masses('rows', rows, shapes[0], scores, q)
    column_masses = _masses('columns', columns, shapes[1], scores, m)
    kernel = ((scores - bound) / epsilon).exp()  # at most 1
    u, v = torch.ones_like(row_masses), torch.ones_like(column_masses)
    for step in range(2 * iterations):
        if (step % 2 == 0) == (first == 'rows'):
            u = row_masses / (kernel @ v[..., None])[..., 0]
        else:
            v = column_masses / (u[..., None, :] @ kernel)[..., 0, :]
    return kernel.mul_(u[..., :, None]).mul_(v[..., None, :])


def _masses(
    name: str, masses: Tensor | None, shape: torch.Size, scores: Tensor, count: int
) -> Tensor:
    """Given masses, or equal ones with sum 1."""
    logs = _log_masses(name, masses, shape, scores)  # checks them
    if masses is None:
        return logs + 1 / count
    return masses.to(scores.dtype)


def _log_masses(
    name: str, masses: Tensor | None, shape: torch.Size, scores: Tensor
) -> Tensor:
    if masses is None:
        return scores.new_zeros(shape)
    if masses.shape != shape:
        raise ValueError(
            f'{name} are {tuple(masses.shape)}; scores of {tuple(scores.shape)} need '
            f'masses of {tuple(shape)}.'
        )
    return masses.to(scores.dtype).log()


def _total_rows(scores: Tensor, gather: Callable[[Tensor], Tensor] | None) -> Tensor:
    """Number of rows of all processes, 0-d."""
    count = scores.new_tensor(scores.shape[-2])
    return count if gather is None else gather(count).sum(0)


def _check(scores: Tensor, epsilon: float, iterations: int, first: str) -> None:
    if scores.ndim < 2:
        raise ValueError(
            f'scores are {tuple(scores.shape)}; they should be (..., rows, columns).'
        )
    if not epsilon > 0:
        raise ValueError(f'epsilon is {epsilon}; it should be > 0.')
    if iterations < 1:
        raise ValueError(f'iterations is {iterations}; it should be at least 1.')
    if first not in _FIRST:
        raise ValueError(f'first is {first!r}; it should be one of {_FIRST}.')
