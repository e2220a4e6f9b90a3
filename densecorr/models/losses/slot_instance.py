"""Objects of a semantic slot are found again in other frames of the clip."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from densecorr.models.losses.slot_overlap import check_weight
from densecorr.ops.assignment import best_assignment
from densecorr.ops.precision import full_precision
from densecorr.registry import MODELS

_EPS = 1e-10  # counted for every object, so that none that is valid gives 0


class SlotInstance(NamedTuple):
    """Result of :func:`slot_instance`.

    Attributes:
        loss: scalar; exactly 0 where no object of the student is valid.
        matches: ``(t, t, b, s, p)`` int64: the teacher's object in frame j for that of
            the student in frame i.
    """

    loss: Tensor
    matches: Tensor


@full_precision
def slot_instance(
    student_objects: Tensor,
    teacher_objects: Tensor,
    student_valid: Tensor,
    teacher_valid: Tensor,
    margin: float = 0.5,
    method: str = 'auto',
) -> SlotInstance:
    r"""Attract matched objects of all pairs of frames, push the others apart.

    Within each semantic slot the objects of student frame i are assigned to those of
    teacher frame j by the largest sum of cosines, m(p) to p. A valid object p costs

    .. math:: \mathrm{mean}_{q \ne m(p)} \max(\cos_{pq} - \mathrm{margin}, 0)
        - v'_{m(p)} \cos_{p m(p)}

    and the loss is the mean over all valid ones; i = j is included.

    Args:
        student_objects: ``(b, t, s, p, c)`` of length 1.
        teacher_objects: ``(b, t, s, p, c)`` of length 1; no gradient.
        student_valid: ``(b, t, s, p)``.
        teacher_valid: ``(b, t, s, p)``.
        margin: cosine below which objects are left alone.
        method: see :func:`densecorr.ops.assignment.best_assignment`.

    Raises:
        ValueError: shapes that do not fit.

    Reference: arXiv:2308.09951. Official: shvdiwnkozbw/SMTC.
    """
    shapes = [tuple(x.shape) for x in (student_objects, teacher_objects)]
    flags = [tuple(x.shape) for x in (student_valid, teacher_valid)]
    if len(set(shapes)) > 1 or any(flag != shapes[0][:-1] for flag in flags):
        raise ValueError(
            f'objects are {shapes[0]} and {shapes[1]}, valid {flags[0]} and {flags[1]};'
            ' give (b, t, s, p, c) twice and (b, t, s, p) twice.'
        )
    students, teachers = (
        x.movedim(2, 1).flatten(2, 3)
        for x in (student_objects, teacher_objects.detach())
    )  # (b, s, t * p, c)
    _, t, _, p, _ = student_objects.shape
    tables = students @ teachers.transpose(-1, -2)  # one product for all frames
    tables = tables.unflatten(-1, (t, p)).unflatten(2, (t, p))
    cosines = tables.permute(2, 4, 0, 1, 3, 5)  # (t, t, b, s, p, p)
    matches = best_assignment(cosines, method)[..., None]  # (t, t, b, s, p, 1)
    found = teacher_valid.to(cosines.dtype).movedim(1, 0)  # (t, b, s, p)
    found = found.expand(t, *found.shape).gather(-1, matches[..., 0])
    own = cosines.gather(-1, matches)[..., 0]
    pushed = (cosines - margin).relu()
    others = pushed.sum(-1) - pushed.gather(-1, matches)[..., 0]
    counted = student_valid.to(cosines.dtype).movedim(1, 0)  # (t, b, s, p)
    costs = counted[:, None] * (others / max(p - 1, 1) - found * own)
    total = t * (counted + _EPS).sum()
    return SlotInstance(costs.sum() / total, matches[..., 0])


@MODELS.register_module()
class SlotInstanceLoss(nn.Module):
    """:func:`slot_instance` with its settings.

    Args:
        weight: multiplies it, not negative.
        margin: see :func:`slot_instance`.
    """

    def __init__(self, weight: float = 1.0, margin: float = 0.5) -> None:
        super().__init__()
        self.weight = check_weight(self, weight)
        self.margin = margin

    def forward(
        self,
        student_objects: Tensor,
        teacher_objects: Tensor,
        student_valid: Tensor,
        teacher_valid: Tensor,
    ) -> Tensor:
        """Objects and flags as in :func:`slot_instance` to a scalar."""
        objects = (student_objects, teacher_objects)
        found = slot_instance(*objects, student_valid, teacher_valid, self.margin)
        return self.weight * found.loss
