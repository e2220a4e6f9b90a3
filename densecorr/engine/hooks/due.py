"""When a hook that acts now and then has to act."""

from __future__ import annotations

from typing import Any

UNITS = ('iter', 'epoch')


def check_unit(unit: str, what: str) -> None:
    """Raise where ``unit`` is none of ``'iter'`` and ``'epoch'``.

    Raises:
        ValueError: it is none of them; names ``what`` has it.
    """
    if unit not in UNITS:
        raise ValueError(f'unit of {what} is {unit!r}; choose from {list(UNITS)}.')


def in_iterations(runner: Any, number: float, unit: str) -> float:
    """A number of iterations or epochs, in iterations."""
    return number if unit == 'iter' else number * runner.train_loop.iters_per_epoch


def is_due(runner: Any, interval: int, unit: str, last: bool = True) -> bool:
    """Whether an action is due in ``after_train_iter``.

    Args:
        runner: its ``iter`` does not count the iteration that has just been done.
        interval: iterations or epochs between two actions, at least 1; they are
            counted from the start of training, so a resumed run acts at the same ones.
        unit: ``'iter'`` or ``'epoch'``.
        last: also act after the last iteration.

    Raises:
        ValueError: the interval is below 1, or the unit is unknown.
    """
    if interval < 1:
        raise ValueError(f'interval is {interval} {unit}; give at least 1.')
    check_unit(unit, 'an interval')
    done = runner.iter + 1
    if last and done == runner.max_iters:
        return True
    return done % int(in_iterations(runner, interval, unit)) == 0
