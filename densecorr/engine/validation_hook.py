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
BEST = ('best_*.pth', '*_score*.pth')  # names of the best weights


@HOOKS.register_module()
class ValidationHook(Hook):
    """Evaluate tasks before, during and after training.

    The numbers go to ``validation.json``, to the log and to the trackers under
    ``<task>/<metric>``. The weights of the best number are kept in ``best_<task>.pth``,
    a whole checkpoint; with ``max_keep`` in a file of each new best one, such as
    ``epoch060_score0.655_res4.pth``: finished epochs (or ``iter``), score, and task.

    Args:
        validate: (task, folder of its results) to fractions by name of the metric. It
            is called on every rank and leaves the method in training untouched.
        tasks: their names.
        interval: iterations or epochs between two evaluations.
        unit: ``'iter'`` or ``'epoch'``.
        best: ``'<task>/<metric>'``, higher is better; of several the best one counts.
            None keeps no best weights.
        at_start: also before the first iteration, which gives the number to compare
            with, and finds what is wrong with the data before hours have passed.
        max_keep: newest of the best weights that are kept, each under its own name;
            None keeps one, ``best_<task>.pth``.

    Raises:
        ValueError: no task, ``best`` is of another one, or ``max_keep`` is below 1 or
            without ``best``.
    """

    priority = 'LOW'  # the weights of this iteration, before they are saved

    def __init__(
        self,
        validate: Callable[[str, Path], dict[str, float]],
        tasks: Sequence[str],
        interval: int = 1,
        unit: str = 'epoch',
        best: str | Sequence[str] | None = None,
        at_start: bool = True,
        max_keep: int | None = None,
    ) -> None:
        wanted = [best] if isinstance(best, str) else list(best or [])
        if not tasks or any(name.split('/')[0] not in tasks for name in wanted):
            raise ValueError(
                f'validation has tasks {list(tasks)} and best {best!r}; give at least '
                "one task, and best as '<task>/<metric>' of one of them."
            )
        if max_keep is not None and (max_keep < 1 or not wanted):
            raise ValueError(
                f'max_keep of validation is {max_keep} and best {best!r}; keep at '
                'least 1 of the best weights, or leave max_keep out.'
            )
        self.validate, self.tasks, self.best = validate, list(tasks), wanted
        self.max_keep = max_keep
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
        before = max(
            (self._score(h['metrics'])[0] for h in self.history if h['iter']),
            default=-math.inf,
        )
        found: dict[str, float] = {}
        for task in self.tasks:
            folder = Path(runner.work_dir) / 'validation' / f'iter_{iteration}' / task
            metrics = self.validate(task, folder)
            found.update({f'{task}/{name}': value for name, value in metrics.items()})
        for name in self.best:
            if name not in found:
                raise ValueError(f'validation.best is {name!r}. {suggest(name, found)}')
        entry: dict[str, Any] = dict(iter=iteration, metrics=found)
        score, best = self._score(found)
        if iteration and score > before:
            entry['weights'] = self._file(runner, iteration, score, best.split('/')[0])
        self.history.append(entry)
        if runner.rank != 0:
            return
        text = json.dumps(self.history, indent=2) + '\n'
        write_atomic(Path(runner.work_dir) / _FILE, text)
        known = {name: v for name, v in found.items() if math.isfinite(v)}
        runner.visualizer.add_scalars(known, step=iteration)
        words = ', '.join(f'{name} {100 * v:.2f} %' for name, v in found.items())
        runner.logger.info(f'validation after {iteration} iterations: {words}')
        if 'weights' in entry:
            name = entry['weights']
            save_training(runner, Path(runner.work_dir) / name, iteration)
            self._remove_old(Path(runner.work_dir))
            runner.logger.info(f'best {best} so far: weights in {name}')

    def _score(self, metrics: dict[str, float]) -> tuple[float, str]:
        """The best number of ``best`` and its name."""
        scores = [(metrics[name], name) for name in self.best]
        return max(scores, default=(-math.inf, ''), key=lambda pair: pair[0])

    def _file(self, runner: Any, iteration: int, score: float, task: str) -> str:
        if self.max_keep is None:
            return f'best_{task}.pth'
        done = iteration
        if self.unit == 'epoch':
            done = iteration // runner.train_loop.iters_per_epoch
        return f'{self.unit}{done:03d}_score{score:.3f}_{task}.pth'

    def _remove_old(self, folder: Path) -> None:
        """Remove all but the newest of the best weights."""
        if self.max_keep is None:
            return
        names = [entry['weights'] for entry in self.history if 'weights' in entry]
        for name in names[: -self.max_keep]:
            (folder / name).unlink(missing_ok=True)
