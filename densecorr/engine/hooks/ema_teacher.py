"""A teacher that follows its student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from torch import nn

from densecorr.engine.hooks.parts import find_module, method_of
from densecorr.ops.ema import check_same_names, ema_update_
from densecorr.registry import HOOKS


@HOOKS.register_module()
class EMATeacherHook(Hook):
    """After every iteration the teacher moves towards the student.

    teacher = d teacher + (1 - d) student, see :func:`densecorr.ops.ema.ema_update_`.
    Both are modules of the method, so checkpoints hold both. The teacher begins as a
    copy of the student: also where the student's weights were loaded after both had
    been built.

    Args:
        student: dotted name of a module of the method, or several.
        teacher: dotted name of a module with the same parameters, none of which needs a
            gradient; of several students one each.
        ema_decay: ``d``, the weight of the old teacher, in [0, 1]. It may change:
            ``ScheduledValuesHook`` has the target ``'EMATeacherHook.ema_decay'``.
        buffers: ``'copy'``, ``'average'`` or ``'keep'``: what becomes of the teacher's
            buffers, such as running statistics.
        interval: iterations between two updates.
        copy_at_start: False leaves the teacher's own initial weights.

    Raises:
        ValueError: the interval is below 1; a name is unknown, the two differ, or the
            teacher needs gradients (before the first iteration).
    """

    priority = 'HIGH'  # before hooks that look at the teacher, or save it

    def __init__(
        self,
        student: str | Sequence[str] = 'backbone',
        teacher: str | Sequence[str] = 'teacher',
        ema_decay: float = 0.996,
        buffers: str = 'copy',
        interval: int = 1,
        copy_at_start: bool = True,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval of EMATeacherHook is {interval}; at least 1.')
        self.students, self.teachers = _listed(student), _listed(teacher)
        if len(self.students) != len(self.teachers):
            raise ValueError(
                f'EMATeacherHook has students {self.students} and teachers '
                f'{self.teachers}; give one teacher for each.'
            )
        self.ema_decay, self.buffers, self.interval = ema_decay, buffers, interval
        self.copy_at_start = copy_at_start

    def before_train(self, runner: Any) -> None:
        """Check both; at the start of training copy the student."""
        model = method_of(runner)
        self._pairs = [
            _pair(model, *names)
            for names in zip(self.teachers, self.students, strict=True)
        ]
        if self.copy_at_start and runner.iter == 0:
            for old, new in self._pairs:
                ema_update_(old, new, 0.0)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Update the teacher where it is due."""
        if (runner.iter + 1) % self.interval == 0:
            for old, new in self._pairs:
                ema_update_(old, new, self.ema_decay, self.buffers)


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _pair(model: nn.Module, teacher: str, student: str) -> tuple[nn.Module, nn.Module]:
    """A teacher and its student, checked."""
    old = find_module(model, teacher, 'teacher of EMATeacherHook')
    new = find_module(model, student, 'student of EMATeacherHook')
    check_same_names(old, new)
    trained = [n for n, p in old.named_parameters() if p.requires_grad]
    if trained:
        raise ValueError(
            f'{len(trained)} parameters of the teacher {teacher!r} need gradients, the '
            f'first is {trained[0]}: the optimiser would train them. Call '
            'requires_grad_(False) on the teacher in the method.'
        )
    return old, new
