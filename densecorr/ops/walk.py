"""Random walks over a graph of space and time: forward, backward, home again.

Reference:
    Jabri, Owens and Efros, NeurIPS 2020, arXiv:2006.14613, Sec. 2. Official:
    ajabri/videowalk ``code/model.py`` (047f3f4).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .precision import full_precision, without_autocast

_DROPPED = -1e20  # score of an edge that is dropped, as in the official code
_EPS = 1e-20  # added to probabilities before the logarithm, likewise
MIN_FRAMES = 3  # fewer have no cycle


class Transitions(NamedTuple):
    """Matrices of a walk over ``t`` frames; every row sums to 1.

    Attributes:
        forward: ``(b, t - 1, n, n)``, entry ``[..., k, i, j]`` is the probability to
            step from node i of frame k to node j of frame k + 1.
        backward: ``(b, t - 1, n, n)``, entry ``[..., k, j, i]`` is that of the step
            from node j of frame k + 1 to node i of frame k.
    """

    forward: Tensor
    backward: Tensor


class Cycles(NamedTuple):
    """What became of the cycles of a walk, shortest first.

    Attributes:
        losses: ``(t - 2,)`` mean negative log-probability to come home.
        accuracies: ``(t - 2,)`` share of nodes in [0, 1] whose likeliest end is home;
            without gradient.
    """

    losses: Tensor
    accuracies: Tensor


def dropped_edges(noise: Tensor, rate: float) -> Tensor:
    """Edges to drop, bool: where the noise in [0, 1) is below the rate.

    Raises:
        ValueError: the rate is not in [0, 1).
    """
    check_rate('rate of edge dropout', rate)
    return noise < rate


def check_rate(name: str, rate: float) -> None:
    """Refuse a dropout rate that is not in [0, 1), under its name."""
    if not 0 <= rate < 1:
        raise ValueError(f'{name} is {rate}; give a number in [0, 1), 0 drops nothing.')


@full_precision
def transitions(
    nodes: Tensor,
    temperature: float,
    drop_forward: Tensor | None = None,
    drop_backward: Tensor | None = None,
    shared_drops: bool = True,
) -> Transitions:
    """Softmax of the affinities of nodes of neighbouring frames over their targets.

    A row whose edges are all dropped is uniform. Half-precision nodes and autocast are
    computed with in float32.

    Args:
        nodes: ``(b, t, n, c)`` of length 1 over ``c``.
        temperature: above 0.
        drop_forward: ``(b, t - 1, n, n)`` bool, indexed like the forward matrices.
        drop_backward: the same, indexed like the backward ones.
        shared_drops: what is dropped forward is dropped backward too.

    Raises:
        ValueError: the nodes do not have four axes or fewer than two frames, the
            temperature is not above 0, or dropped edges of another shape.

    Note:
        The official code drops forward edges in place, before it makes the backward
        matrix: with rate p, a share of 1 - (1 - p)^2 is dropped backward. That is
        ``shared_drops``; the paper drops edges of both independently.
    """
    _check(nodes, temperature)
    scores = nodes[:, :-1] @ nodes[:, 1:].transpose(-1, -2)  # (b, t - 1, n, n)
    ahead = _drop(scores, drop_forward, 'drop_forward')
    behind = (ahead if shared_drops else scores).transpose(-1, -2)
    behind = _drop(behind, drop_backward, 'drop_backward')
    return Transitions(
        (ahead / temperature).softmax(-1), (behind / temperature).softmax(-1)
    )


def cycle_halves(steps: Transitions, flip: bool = False) -> Iterator[list[Tensor]]:
    """Ways out and back of every cycle, shortest first; no product is made twice.

    Args:
        steps: the matrices.
        flip: multiply the matrices of a cycle in reverse order.

    Yields:
        ``(b, n, n)`` products out and back; their product is that of the cycle.
        The cycle over the first two frames alone is left out, as officially.

    Note:
        The author of the official code calls its option ``flip`` a bug.
    """
    first, second = (steps.backward, steps.forward) if flip else steps
    out, back = first[:, 0], second[:, 0]
    for k in range(1, first.shape[1]):
        out, back = out @ first[:, k], second[:, k] @ back
        yield [out, back]


def walk_cycles(steps: Transitions, flip: bool = False) -> Cycles:
    """Losses and accuracies of all cycles ``P_i = F_0 ... F_i B_i ... B_0``, i >= 1.

    The loss of cycle i is the mean over clips and nodes of
    ``-log(P_i[n, n] + 1e-20)``: rows of P_i sum to 1, so this is the cross entropy of
    ``log(P_i + 1e-20)`` with the node's own number. It needs the diagonal alone; the
    whole product is made for the accuracy, without gradient.

    Args:
        steps: the matrices; those of two frames have no cycle, the results are empty.
        flip: see :func:`cycle_halves`.
    """
    losses, accuracies = [], []
    with without_autocast(*steps):
        for out, back in cycle_halves(steps, flip):
            home = (out * back.transpose(-1, -2)).sum(-1)  # (b, n)
            losses.append(-(home + _EPS).log().mean())
            with torch.no_grad():
                ends = (out @ back).argmax(-1)  # (b, n)
                own = torch.arange(ends.shape[-1], device=ends.device)
                accuracies.append((ends == own).to(home.dtype).mean())
    if not losses:
        none = steps.forward.new_zeros(0)
        return Cycles(none, none)
    return Cycles(torch.stack(losses), torch.stack(accuracies))


def _check(nodes: Tensor, temperature: float) -> None:
    if nodes.ndim != 4 or nodes.shape[1] < 2:
        raise ValueError(
            f'nodes are {tuple(nodes.shape)}; a walk needs (b, t, n, c) with t of at '
            'least 2.'
        )
    if temperature <= 0:
        raise ValueError(f'temperature is {temperature}; give a number above 0.')


def _drop(scores: Tensor, dropped: Tensor | None, name: str) -> Tensor:
    if dropped is None:
        return scores
    if dropped.shape != scores.shape:
        raise ValueError(
            f'{name} is {tuple(dropped.shape)}; these nodes have '
            f'{tuple(scores.shape)} edges, (b, t - 1, n, n).'
        )
    return scores.masked_fill(dropped, _DROPPED)
