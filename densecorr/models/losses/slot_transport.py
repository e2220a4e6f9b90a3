"""Places of two frames that belong together have one semantic slot."""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.models.losses.slot_overlap import check_weight
from densecorr.ops.precision import full_precision
from densecorr.ops.sinkhorn import sinkhorn_plan
from densecorr.ops.slots import semantic_areas
from densecorr.registry import MODELS

_LOG_EPS = 1e-8  # added to shares under the logarithm, as in SMTC


@torch.no_grad()
@full_precision
def transport_plans(
    first: Tensor, second: Tensor, epsilon: float = 0.05, iterations: int = 3
) -> tuple[Tensor, Tensor]:
    """Plans from the places of one frame to those of another, and the other way.

    The cost of two places is 1 - cosine of their keys; the mass of a place is its share
    of the L1 norms of the unit keys of its frame. As few iterations balance one side
    only, the second plan is not the first one transposed.

    Args:
        first: ``(b, n, c)`` keys of one frame.
        second: ``(b, m, c)`` keys of the other.
        epsilon: regularisation.
        iterations: of Sinkhorn.

    Returns:
        ``(b, n, m)`` and ``(b, m, n)``.
    """
    first, second = F.normalize(first, dim=-1), F.normalize(second, dim=-1)
    masses = [_masses(first), _masses(second)]
    scores = first @ second.transpose(1, 2)
    there, back = (
        sinkhorn_plan(
            table,
            epsilon=epsilon,
            iterations=iterations,
            rows=rows,
            columns=columns,
            bound=1.0,
        )
        for table, rows, columns in (
            (scores, *masses),
            (scores.transpose(1, 2), *reversed(masses)),
        )
    )
    return there, back


def _masses(unit_keys: Tensor) -> Tensor:
    """``(b, n)`` masses of the places of a frame, with sum 1."""
    norms = unit_keys.abs().sum(-1)
    return norms / norms.sum(-1, keepdim=True)


@full_precision
def slot_transport(
    student_dots: Tensor,
    teacher_dots: Tensor,
    teacher_keys: Tensor,
    epsilon: float = 0.05,
    iterations: int = 3,
) -> Tensor:
    r"""Cross entropy along the transport plans of all ordered pairs of frames.

    .. math:: \mathrm{mean}_{b, i \ne j} \sum_{n, m} Q^{ij}_{nm}
        \Big(- \sum_s p'_{j s m} \log (p_{i s n} + 10^{-8}) \Big)

    with the student's shares p, the teacher's p' and plans Q of the teacher's keys. The
    plan is applied to p' first, so that the cross entropies of all pairs of places are
    never made.

    Args:
        student_dots: ``(b, t, s, n)`` logits.
        teacher_dots: ``(b, t, s, n)``; no gradient.
        teacher_keys: ``(b, t, n, c)``; no gradient.
        epsilon: see :func:`transport_plans`.
        iterations: see :func:`transport_plans`.

    Raises:
        ValueError: clips of one frame, or shapes that do not fit.

    Reference: arXiv:2308.09951. Official: shvdiwnkozbw/SMTC, ``--bi_cons``.
    """
    b, t, _, n = student_dots.shape
    if t < 2 or teacher_dots.shape != student_dots.shape:
        raise ValueError(
            f'student_dots are {tuple(student_dots.shape)}, teacher_dots '
            f'{tuple(teacher_dots.shape)}; give both (b, t, s, n) with t of at least 2.'
        )
    if teacher_keys.shape[:3] != (b, t, n):
        raise ValueError(
            f'teacher_keys are {tuple(teacher_keys.shape)}; student_dots of '
            f'{tuple(student_dots.shape)} need (b, t, n, c).'
        )
    log_shares = (semantic_areas(student_dots) + _LOG_EPS).log()
    with torch.no_grad():
        shares = semantic_areas(teacher_dots)
        moved = torch.zeros_like(shares)
        for i, j in itertools.combinations(range(t), 2):
            keys = teacher_keys[:, i], teacher_keys[:, j]
            there, back = transport_plans(*keys, epsilon, iterations)
            moved[:, i] += shares[:, j] @ there.transpose(1, 2)
            moved[:, j] += shares[:, i] @ back.transpose(1, 2)
    return -(moved * log_shares).sum() / (b * t * (t - 1))


@MODELS.register_module()
class SlotTransportLoss(nn.Module):
    """:func:`slot_transport` with its settings.

    Args:
        weight: multiplies it, not negative.
        epsilon: see :func:`transport_plans`.
        iterations: see :func:`transport_plans`.
    """

    def __init__(
        self, weight: float = 1.0, epsilon: float = 0.05, iterations: int = 3
    ) -> None:
        super().__init__()
        self.weight = check_weight(self, weight)
        self.epsilon, self.iterations = epsilon, iterations

    def forward(
        self, student_dots: Tensor, teacher_dots: Tensor, teacher_keys: Tensor
    ) -> Tensor:
        """``(b, t, s, n)`` logits and ``(b, t, n, c)`` keys to a scalar."""
        settings = (self.epsilon, self.iterations)
        return self.weight * slot_transport(
            student_dots, teacher_dots, teacher_keys, *settings
        )
