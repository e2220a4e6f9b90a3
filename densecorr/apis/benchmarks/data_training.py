"""Whether the loader of a training keeps up with its steps."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook

from densecorr.apis.benchmarks.bare_training import run_bare
from densecorr.apis.train import train_config

_WARM = 3  # iterations that start workers and allocate memory
_WAITING = 0.05  # share of an iteration above which a training waits for its clips


class LoopTimes(Hook):
    """Keeps how long every iteration waited for clips and how long it computed."""

    def __init__(self) -> None:
        self.waited: list[float] = []
        self.computed: list[float] = []

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Any = None,
    ) -> None:
        """Take both times from the loop."""
        del batch_idx, data_batch, outputs
        self.waited.append(runner.train_loop.data_time)
        self.computed.append(runner.train_loop.step_time)


def measure_training(
    config: str | Path,
    options: Mapping[str, Any] | None,
    iters: int,
    threads: int | None = None,
) -> dict[str, Any]:
    """Run the first iterations of a training, see :func:`run_bare`.

    Args:
        config: of the training.
        options: changes of the config by dotted key.
        iters: measured iterations, after a few that are not.
        threads: compute threads; default all cores.

    Returns:
        ``clips`` of an iteration, ``workers``, and medians of ``step`` and ``wait`` in
        seconds of an iteration: the optimiser step, and waiting for its clips.

    Raises:
        ValueError: ``iters`` is below 1.
    """
    if iters < 1:
        raise ValueError(f'iters is {iters}; give at least 1.')
    cfg = train_config(config, options)
    times = LoopTimes()
    run_bare(cfg, _WARM + iters, times, threads=threads)
    loader = cfg.train_dataloader
    return dict(
        clips=loader.batch_size * cfg.optim_wrapper.get('accumulative_counts', 1),
        workers=loader.get('num_workers', 0),
        step=statistics.median(times.computed[_WARM:]),
        wait=statistics.median(times.waited[_WARM:]),
    )


def keeps_up(found: Mapping[str, Any]) -> bool:
    """Whether waiting is a small part of an iteration, see :func:`measure_training`."""
    return found['wait'] <= _WAITING * (found['wait'] + found['step'])


def describe(config: str | Path, found: Mapping[str, Any]) -> str:
    """One line about :func:`measure_training`."""
    clips, step, wait = found['clips'], found['step'], found['wait']
    verdict = 'loading keeps up' if keeps_up(found) else 'the training WAITS for clips'
    return (
        f'{Path(config).stem}: {clips} clips an iteration, step {step:.3f} s '
        f'({clips / step:.1f} clips/s), waits {wait:.3f} s for {found["workers"]} '
        f'workers: {verdict}'
    )
