"""Losses by which one correlation learns from another."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from densecorr.ops.correlation import global_correlation
from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS

_EPS = 1e-12  # added to the sum of the weights, as in the official code
POOLS = ('mean', 'sum')


@full_precision
def local_distillation(student: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean square difference of two correlations over all pairs, weighted by row.

    ``sum_ij w_i (student_ij - target_ij)^2 / (sum_i w_i * n + 1e-12)``, where n is the
    number of positions.

    Args:
        student: ``(b, h, w, d, d)`` windows of :func:`local_correlation`.
        target: ``(b, h, w, e, e)`` windows, possibly of another radius.
        weight: ``(b, h, w)``.

    Raises:
        ValueError: the maps or the weights have other sizes.

    Reference: Li and Liu, CVPR 2023 (Spa-then-Temp), Sec. 3.3. Official:
        qianduoduolr/Spa-then-Temp (4c94362).
    """
    if student.shape[:3] != target.shape[:3] or weight.shape != student.shape[:3]:
        raise ValueError(
            f'windows of the student are those of {tuple(student.shape[:3])}, of the '
            f'target {tuple(target.shape[:3])}, weights {tuple(weight.shape)}: (b, h, '
            'w) should be the same. The fine level should have twice the rows and '
            'columns of the coarse one.'
        )
    side = max(student.shape[-1], target.shape[-1])
    student, target = _widened(student, side), _widened(target, side)
    rows = (student - target).square().flatten(3).sum(-1)  # (b, h, w)
    positions = weight[0].numel()
    return (weight * rows).sum() / (weight.sum() * positions + _EPS)


@full_precision
def global_distillation(
    student: tuple[Tensor, Tensor],
    teacher: tuple[Tensor, Tensor],
    temperature: float = 0.07,
    unit: bool = False,
) -> Tensor:
    """Mean square difference of the correlations of two networks.

    The student's is ``softmax(<t, r> / sqrt(c))``, the teacher's ``softmax(<t, r> /
    temperature)`` without gradient.

    Args:
        student: ``(b, c, h, w)`` features of target and reference.
        teacher: likewise, of as many positions.
        temperature: of the teacher.
        unit: give the teacher's features length 1 first.

    Raises:
        ValueError: the networks' maps have different sizes.

    Reference: Li and Liu, CVPR 2023 (Spa-then-Temp), Sec. 3.4. Official:
        qianduoduolr/Spa-then-Temp (4c94362).
    """
    if student[0].shape[2:] != teacher[0].shape[2:]:
        raise ValueError(
            f'the last map of the student is {tuple(student[0].shape[2:])}, of the '
            f'teacher {tuple(teacher[0].shape[2:])}. Choose strides, pool and '
            'out_indices so that both have the same stride.'
        )
    wanted = global_correlation(*teacher, 1 / temperature, unit).detach()
    return F.mse_loss(global_correlation(*student), wanted)


@MODELS.register_module()
class LocalDistillationLoss(nn.Module):
    """:func:`local_distillation` of a coarse level from pooled fine windows.

    Args:
        weight: of the loss.
        detach: the fine level gets no gradient from this loss.
        pool: ``'mean'``: pairs of positions of two cells are averaged, so that rows of
            the target sum to ``1 / cell**2`` (official); ``'sum'``: over the
            reference's positions they are added, and rows sum to 1 as the student's.
    """

    def __init__(
        self, weight: float = 1000.0, detach: bool = True, pool: str = 'mean'
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(
                f'pool of LocalDistillationLoss is {pool!r}, allowed are {POOLS}.'
            )
        self.weight, self.detach, self.pool = weight, detach, pool

    def forward(
        self, student: Tensor, fine: Tensor, weight: Tensor, cell: int = 2
    ) -> Tensor:
        """Scalar, times the weight.

        Args:
            student: windows of the coarse level.
            fine: windows of the fine level in cells; their rows sum to 1.
            weight: ``(b, h, w)``, of the positions.
            cell: side of the cells.
        """
        target = fine.detach() if self.detach else fine
        if self.pool == 'mean':
            target = target / cell**2
        return self.weight * local_distillation(student, target, weight)


@MODELS.register_module()
class GlobalDistillationLoss(nn.Module):
    """:func:`global_distillation` with its settings.

    Args:
        weight: of the loss.
        temperature: of the teacher.
        unit: give the teacher's features length 1 first.
    """

    def __init__(
        self, weight: float = 50.0, temperature: float = 0.07, unit: bool = False
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(
                f'temperature of GlobalDistillationLoss is {temperature}; give a '
                'number above 0.'
            )
        self.weight, self.temperature, self.unit = weight, temperature, unit

    def forward(
        self, student: tuple[Tensor, Tensor], teacher: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Scalar, times the weight."""
        loss = global_distillation(student, teacher, self.temperature, self.unit)
        return self.weight * loss


def _widened(windows: Tensor, side: int) -> Tensor:
    """The windows with zeros around them."""
    margin = (side - windows.shape[-1]) // 2
    return F.pad(windows, (margin,) * 4) if margin else windows
