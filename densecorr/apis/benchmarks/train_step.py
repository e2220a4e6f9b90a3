"""Time and memory of one step of a training: forward, loss, backward, optimiser.

The step is that of the training loop: the method of the config, its optimiser, mixed
precision, checkpointed activations, teacher and frozen parts. Its clips go through the
config's own pipeline, but are generated, so that no data are needed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from densecorr.apis.benchmarks.bare_training import run_bare
from densecorr.apis.benchmarks.memory import (
    in_fresh_process,
    process_bytes,
    restart_peak,
)
from densecorr.apis.train import train_config
from densecorr.registry import DATASETS, TASK_UTILS
from densecorr.structures import ClipKey

_WARM = 1  # iterations that allocate the optimiser's state and work spaces
_DISTINCT = 4  # clips of a batch that differ; larger batches repeat them
_SIZE = (360, 640)  # of generated frames
_VIDEOS, _FRAMES, _FPS = 2, 12, 10  # of generated videos
_MODULE = 'densecorr.apis.benchmarks.train_step'


@dataclass(frozen=True)
class Request:
    """What is measured.

    Attributes:
        config: path of a training config.
        batch: clips of the process.
        options: changes of the config by dotted key.
        amp: ``'bfloat16'`` or ``'float16'``; None trains as the config says.
        checkpointing: modules whose activations are computed again; None as the config
            says.
        iters: measured iterations.
        device: ``'cpu'`` or ``'cuda'``; None takes CUDA where there is one.
        threads: compute threads. CPU time is measured where it is 1, else wall time.
        own_data: clips of the config's dataset instead of generated ones.
    """

    config: str
    batch: int
    options: Mapping[str, Any] = field(default_factory=dict)
    amp: str | None = None
    checkpointing: Sequence[str] | None = None
    iters: int = 2
    device: str | None = None
    threads: int = 1
    own_data: bool = False


class StepCost(Hook):
    """Keeps the seconds of every iteration and the memory before the first.

    Args:
        device: ``'cpu'`` or ``'cuda'``.
        clock: in seconds.
    """

    def __init__(self, device: str, clock: Callable[[], float]) -> None:
        self.on_gpu, self.clock = device == 'cuda', clock
        self.seconds: list[float] = []
        self.before = 0

    def before_train(self, runner: Any) -> None:
        """The model is built: what comes on top counts from here."""
        del runner
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
        else:
            restart_peak()
            self.before = process_bytes('VmRSS')

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Start the clock."""
        del runner, batch_idx, data_batch
        self.started = self._now()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop the clock."""
        del runner, batch_idx, data_batch, outputs
        self.seconds.append(self._now() - self.started)

    def peak(self) -> int:
        """Bytes above the built model, at the highest."""
        if self.on_gpu:
            return torch.cuda.max_memory_allocated() - self.before
        return process_bytes('VmHWM') - self.before

    def _now(self) -> float:
        if self.on_gpu:
            torch.cuda.synchronize()
        return self.clock()


@DATASETS.register_module()
class RepeatedClips:
    """A few clips of another dataset, in memory before anything is measured.

    Args:
        dataset: config of the other one.
        count: clips that are kept.
        length: clips of an epoch, which repeat them.
    """

    def __init__(self, dataset: dict, count: int, length: int) -> None:
        source: Any = DATASETS.build(dataset)
        keys = [ClipKey(*divmod(i, len(source))) for i in range(count)]
        self.clips = [source[key] for key in keys]
        self.length, self.metainfo = length, source.metainfo

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: ClipKey) -> dict:
        return self.clips[key.item % len(self.clips)]


def step_config(request: Request) -> Config:
    """The config of a request: its batch, precision and checkpointed modules.

    Raises:
        KeyError: the config lacks a field, or an option does not exist.
        ValueError: the batch or the number of iterations is below 1.
    """
    for name, value in (('batch', request.batch), ('iters', request.iters)):
        if value < 1:
            raise ValueError(f'{name} is {value}; give at least 1.')
    cfg = train_config(request.config, request.options, request.amp)
    cfg.init = None  # initial weights change neither time nor memory
    cfg.optim_wrapper.accumulative_counts = 1
    if request.checkpointing is not None:
        cfg.activation_checkpointing = list(request.checkpointing)
    loader = cfg.train_dataloader
    dataset = loader.dataset.to_dict()
    loader.dataset = dict(
        type='RepeatedClips',
        dataset=dataset if request.own_data else generated(dataset),
        count=min(request.batch, _DISTINCT),
        length=request.batch * (_WARM + request.iters),
    )
    loader.batch_size, loader.num_workers = request.batch, 0
    loader.pop('prefetch_factor', None)
    return cfg


def generated(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset of generated videos with the sampler and the pipeline of another one.

    Args:
        dataset: config; returned as it is where it has no pipeline.
    """
    if 'pipeline' not in dataset:
        return dict(dataset)
    config = dict(dataset.get('sampler') or dict(type='GapSampler', num_frames=1))
    sampler: Any = TASK_UTILS.build(config)
    length = max(_FRAMES, sampler.min_frames_at(_FPS))
    worlds = {'size': _SIZE, 'num_frames': length, **(dataset.get('worlds') or {})}
    return dict(
        type='SpriteWorldClips',
        sampler=config,
        pipeline=dataset['pipeline'],
        worlds={**worlds, 'num_clips': _VIDEOS},
    )


def measure(request: Request) -> dict[str, float]:
    """Median ``seconds`` of a step and peak ``bytes`` above the model, here and now.

    Raises:
        KeyError: see :func:`step_config`.
        ValueError: likewise.
    """
    cfg = step_config(request)
    device = request.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    alone = device == 'cpu' and request.threads == 1
    cost = StepCost(device, time.process_time if alone else time.perf_counter)
    run_bare(cfg, _WARM + request.iters, cost, device, request.threads)
    seconds = statistics.median(cost.seconds[_WARM:])
    return dict(batch=request.batch, seconds=seconds, bytes=cost.peak())


def measure_in_fresh_process(request: Request) -> dict[str, float]:
    """:func:`measure` in a new interpreter, whose peak nothing else has raised."""
    return in_fresh_process(_MODULE, asdict(request))


def main(argv: list[str] | None = None) -> int:
    """Write the measurement of one request; for the process that asks."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument('--child', required=True)
    request = Request(**json.loads(parser.parse_args(argv).child))
    sys.stdout.write(json.dumps(measure(request)) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
