"""A teacher that follows its student."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook

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
        student: dotted name of a module of the method.
        teacher: dotted name of a module with the same parameters, none of which needs a
            gradient.
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
        student: str = 'backbone',
        teacher: str = 'teacher',
        ema_decay: float = 0.996,
        buffers: str = 'copy',
        interval: int = 1,
        copy_at_start: bool = True,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval of EMATeacherHook is {interval}; at least 1.')
        self.student, self.teacher = student, teacher
        self.ema_decay, self.buffers, self.interval = ema_decay, buffers, interval
        self.copy_at_start = copy_at_start

    def before_train(self, runner: Any) -> None:
        """Check both; at the start of training copy the student."""
        model = method_of(runner)
        self._old = find_module(model, self.teacher, 'teacher of EMATeacherHook')
        self._new = find_module(model, self.student, 'student of EMATeacherHook')
        check_same_names(self._old, self._new)
        trained = [n for n, p in self._old.named_parameters() if p.requires_grad]
        if trained:
            raise ValueError(
                f'{len(trained)} parameters of the teacher {self.teacher!r} need '
                f'gradients, the first is {trained[0]}: the optimiser would train '
                'them. Call requires_grad_(False) on the teacher in the method.'
            )
        if self.copy_at_start and runner.iter == 0:
            ema_update_(self._old, self._new, 0.0)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Update the teacher where it is due."""
        if (runner.iter + 1) % self.interval == 0:
            ema_update_(self._old, self._new, self.ema_decay, self.buffers)
