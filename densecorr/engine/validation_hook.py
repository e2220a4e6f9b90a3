"""Evaluation while training: numbers over time, and the best weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from densecorr.engine.hooks.due import is_due
from densecorr.engine.train_checkpoint import save_training
from densecorr.registry import HOOKS
from densecorr.utils.files import write_atomic
from densecorr.utils.suggest import suggest

_FILE = 'validation.json'


@HOOKS.register_module()
class ValidationHook(Hook):
    """Evaluate tasks before, during and after training.

    The numbers go to ``validation.json``, to the log and to the trackers under
    ``<task>/<metric>``. The weights of the best number are kept in ``best_<task>.pth``,
    a whole checkpoint.

    Args:
        validate: (task, folder of its results) to fractions by name of the metric. It
            is called on every rank and leaves the method in training untouched.
        tasks: their names.
        interval: iterations or epochs between two evaluations.
        unit: ``'iter'`` or ``'epoch'``.
        best: ``'<task>/<metric>'``, higher is better; None keeps no best weights.
        at_start: also before the first iteration, which gives the number to compare
            with, and finds what is wrong with the data before hours have passed.

    Raises:
        ValueError: no task, or ``best`` is of another one.
    """

    priority = 'LOW'  # the weights of this iteration, before they are saved

    def __init__(
        self,
        validate: Callable[[str, Path], dict[str, float]],
        tasks: Sequence[str],
        interval: int = 1,
        unit: str = 'epoch',
        best: str | None = None,
        at_start: bool = True,
    ) -> None:
        if not tasks or (best and best.split('/')[0] not in tasks):
            raise ValueError(
                f'validation has tasks {list(tasks)} and best {best!r}; give at least '
                "one task, and best as '<task>/<metric>' of one of them."
            )
        self.validate, self.tasks, self.best = validate, list(tasks), best
        self.interval, self.unit, self.at_start = interval, unit, at_start
        self.history: list[dict[str, Any]] = []

    def before_train(self, runner: Any) -> None:
        """Evaluate the initial weights."""
        if self.at_start and runner.iter == 0:
            self._run(runner, 0)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Evaluate the weights after this iteration where it is due."""
        if is_due(runner, self.interval, self.unit, last=True):
            self._run(runner, runner.iter + 1)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """A resumed run knows what was best before."""
        checkpoint['validation'] = self.history

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Go on with the numbers of the checkpoint."""
        self.history = list(checkpoint.get('validation', []))

    def _run(self, runner: Any, iteration: int) -> None:
        before = self._best_before()
        found: dict[str, float] = {}
        for task in self.tasks:
            folder = Path(runner.work_dir) / 'validation' / f'iter_{iteration}' / task
            metrics = self.validate(task, folder)
            found.update({f'{task}/{name}': value for name, value in metrics.items()})
        if self.best and self.best not in found:
            raise ValueError(
                f'validation.best is {self.best!r}. {suggest(self.best, found)}'
            )
        self.history.append(dict(iter=iteration, metrics=found))
        if runner.rank != 0:
            return
        text = json.dumps(self.history, indent=2) + '\n'
        write_atomic(Path(runner.work_dir) / _FILE, text)
        known = {name: v for name, v in found.items() if math.isfinite(v)}
        runner.visualizer.add_scalars(known, step=iteration)
        words = ', '.join(f'{name} {100 * v:.2f} %' for name, v in found.items())
        runner.logger.info(f'validation after {iteration} iterations: {words}')
        if self.best and iteration and found[self.best] > before:
            name = f'best_{self.best.split("/")[0]}.pth'
            save_training(runner, Path(runner.work_dir) / name, iteration)
            runner.logger.info(f'best {self.best} so far: weights in {name}')

    def _best_before(self) -> float:
        """The best number of trained weights so far."""
        values = [h['metrics'][self.best] for h in self.history if h['iter']]
        return max(values, default=-math.inf) if self.best else -math.inf
