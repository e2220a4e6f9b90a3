"""Scalars of every iteration, and a line on screen now and then."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from densecorr.engine.hooks.parts import read_scalars
from densecorr.engine.progress import format_seconds
from densecorr.registry import HOOKS

_MIB = 1024**2
_LOSS = 'loss'  # in the names of what is minimised; these come first in a line


@HOOKS.register_module()
class TrainLogHook(Hook):
    """Logs training; only the first process writes, and its own outputs.

    Every iteration all outputs, the learning rates, ``data_time`` and ``step_time``
    (seconds) go to the visualizer, whose backends write TensorBoard files or whatever
    the config names; the step is the number of finished iterations. Param groups
    whose rates always were the same share the scalar ``lr``; otherwise ``lr/<group>``
    has the name or number of the first group of each rate.

    After the first iteration, every ``interval`` iterations and after the last one a
    line says epoch and iteration, outputs (means since the last line), rates, times
    (means, too), the estimated time that is left (by the wall clock since training
    began or was resumed), and memory: the most that CUDA allocated, or that the
    process had.

    Args:
        interval: iterations between two lines, at least 1.

    Raises:
        ValueError: the interval is below 1.
        TypeError: an output is not a single number; names it.
    """

    priority = 'BELOW_NORMAL'  # after hooks that add outputs

    def __init__(self, interval: int = 20) -> None:
        if interval < 1:
            raise ValueError(f'interval of TrainLogHook is {interval}; at least 1.')
        self.interval = interval
        self._started: float | None = None
        self._first = 0  # iterations that were done before
        self._sums: dict[str, tuple[float, int]] = {}
        self._rate_of: list[int] = []  # the group whose scalar a group shares

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Start the clock, after all that happens before the first iteration."""
        if self._started is None:
            self._started, self._first = time.perf_counter(), runner.iter

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Log one iteration."""
        if not is_main_process():
            return
        values = dict(read_scalars(outputs if outputs is not None else {}))
        times = dict(
            data_time=runner.train_loop.data_time, step_time=runner.train_loop.step_time
        )
        rates = self._rates(runner.optim_wrapper.optimizer.param_groups)
        done = runner.iter + 1
        runner.visualizer.add_scalars({**values, **rates, **times}, step=done)
        for name, value in {**values, **times}.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        first, last = done == self._first + 1, done == runner.max_iters
        if first or last or done % self.interval == 0:
            runner.logger.info(self._line(runner, rates))
            self._sums = {}

    def _rates(self, groups: Sequence[Mapping]) -> dict[str, float]:
        """Learning rates by name; groups that once differed stay apart."""
        rates = [float(group['lr']) for group in groups]
        old = self._rate_of or [0] * len(rates)
        seen: dict[tuple, int] = {}
        for number, key in enumerate(zip(old, rates, strict=True)):
            seen.setdefault(key, number)
        self._rate_of = [seen[key] for key in zip(old, rates, strict=True)]
        chosen = sorted(set(self._rate_of))
        if len(chosen) == 1:
            return dict(lr=rates[0])
        return {f'lr/{groups[n].get("name", n)}': rates[n] for n in chosen}

    def _line(self, runner: Any, rates: Mapping[str, float]) -> str:
        loop, done = runner.train_loop, runner.iter + 1
        means = {name: total / count for name, (total, count) in self._sums.items()}
        data, step = means.pop('data_time'), means.pop('step_time')
        names = sorted(means, key=lambda name: _LOSS not in name)  # stable
        epochs = -(-runner.max_iters // loop.iters_per_epoch)
        spent = time.perf_counter() - (self._started or 0.0)
        left = spent / (done - self._first) * (runner.max_iters - done)
        parts = [
            f'epoch {runner.iter // loop.iters_per_epoch + 1}/{epochs}',
            f'iteration {done}/{runner.max_iters}',
            *(f'{name} {means[name]:.4g}' for name in names),
            *(f'{name} {rate:.3e}' for name, rate in rates.items()),
            f'data {data:.3f} s, step {step:.3f} s',
            f'ETA {format_seconds(left)}',
            f'memory {_memory() / _MIB:.0f} MiB',
        ]
        return '  '.join(parts)


def _memory() -> int:
    """Bytes: the most that CUDA allocated, or that the process had."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated() > 0:
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024
