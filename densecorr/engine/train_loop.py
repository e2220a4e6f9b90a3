"""The training loop: iterations that can be resumed, repeated and split over ranks."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch import Tensor, nn

from densecorr.engine.train_loader import build_loader
from densecorr.engine.unused_parameters import GradientWatch
from densecorr.models.methods.base import NonFiniteLossError
from densecorr.registry import LOOPS
from densecorr.utils.files import write_atomic
from densecorr.utils.randomness import iteration_seed
from densecorr.utils.replaced_clips import ReplacedClips

Outputs = dict[str, Tensor]


@LOOPS.register_module()
class ClipTrainLoop(BaseLoop):
    """Trains a method on batches of clips, one optimiser step an iteration.

    Every iteration seeds torch's generators from (seed, iteration, rank), and takes
    the clips that belong to it, so nothing random has to be saved: n iterations equal
    n / 2, a resume, and n / 2, bit for bit.

    Args:
        runner: MMEngine's Runner, whose model has ``train_step``.
        dataloader: see :func:`densecorr.engine.train_loader.build_loader`.
        max_epochs: epochs to train for, or
        max_iters: iterations to train for; one of both.
        max_corrupt: share of the clips of this process that may stand for unreadable
            ones, see :class:`ReplacedClips`.

    Attributes:
        iters_per_epoch: iterations of an epoch.
        data_time: seconds that the last iteration waited for its clips.
        step_time: seconds of the rest of it.

    Raises:
        ValueError: not one of both lengths is given, or it is not positive.
        TooManyCorruptError: (while training) more clips than that are unreadable.
    """

    def __init__(
        self,
        runner: Any,
        dataloader: Mapping[str, Any],
        max_epochs: int | None = None,
        max_iters: int | None = None,
        max_corrupt: float = 0.01,
    ) -> None:
        length = max_epochs if max_iters is None else max_iters
        if (max_epochs is None) == (max_iters is None) or (length or 0) < 1:
            raise ValueError(
                f'train_cfg has max_epochs={max_epochs} and max_iters={max_iters}; '
                'give one of them, at least 1.'
            )
        wrapper = runner.optim_wrapper
        counts = wrapper.get('accumulative_counts', 1)  # a config still
        self.accumulation: int = counts
        loader, self.batches = build_loader(
            dataloader, runner.seed, get_rank(), get_world_size(), counts
        )
        super().__init__(runner, loader)
        self.iters_per_epoch = self.batches.iters_per_epoch
        self._max_iters = max_iters or (max_epochs or 0) * self.iters_per_epoch
        self._max_epochs = -(-self._max_iters // self.iters_per_epoch)
        self._iter = 0
        self.data_time = self.step_time = 0.0
        self.replaced_clips = ReplacedClips(max_corrupt)

    @property
    def iter(self) -> int:
        """Iterations that are finished."""
        return self._iter

    @property
    def epoch(self) -> int:
        """Epochs that are finished."""
        return self._iter // self.iters_per_epoch

    @property
    def max_iters(self) -> int:
        """Iterations of the whole run."""
        return self._max_iters

    @property
    def max_epochs(self) -> int:
        """Epochs of the whole run, a begun one counts."""
        return self._max_epochs

    def resume_at(self, iteration: int) -> None:
        """Go on after ``iteration`` finished iterations."""
        self._iter = iteration

    def run(self) -> nn.Module:
        """Train; returns the model.

        Raises:
            NonFiniteLossError: a loss is NaN or infinite; names the dump of its batch.
        """
        runner = self.runner
        runner.optim_wrapper.initialize_count_status(
            runner.model,
            self._iter * self.accumulation,
            self._max_iters * self.accumulation,
        )
        runner.call_hook('before_train')
        if self._iter < self._max_iters:
            self.batches.start = self._iter
            self._train(iter(self.dataloader))
        runner.call_hook('after_train')
        return runner.model

    def _train(self, batches: Iterator[dict]) -> None:
        watch = GradientWatch(self._model())
        runner = self.runner
        runner.call_hook('before_train_epoch')
        while self._iter < self._max_iters:
            runner.model.train()
            self.run_iter(batches)
            watch.check()
            if self._iter % self.iters_per_epoch == 0:
                runner.call_hook('after_train_epoch')
                if self._iter < self._max_iters:
                    runner.call_hook('before_train_epoch')

    def run_iter(self, batches: Iterator[dict]) -> None:
        """One iteration: its batches, one optimiser step, the hooks."""
        runner, started = self.runner, time.perf_counter()
        parts = [next(batches) for _ in range(self.accumulation)]
        for part in parts:
            self.replaced_clips.update(part['data_samples'])
        loaded = time.perf_counter()
        runner.call_hook('before_train_iter', batch_idx=self._iter, data_batch=parts[0])
        found = [self._step(number, part) for number, part in enumerate(parts)]
        outputs = _mean_over_ranks(_mean_outputs(found))
        if runner.optim_wrapper.clip_grad_kwargs:
            name = runner.optim_wrapper.grad_name
            scalar = runner.message_hub.get_scalar(f'train/{name}')
            outputs[name] = torch.tensor(scalar.current())
        self.data_time = loaded - started
        self.step_time = time.perf_counter() - loaded
        runner.call_hook(
            'after_train_iter',
            batch_idx=self._iter,
            data_batch=parts[-1],
            outputs=outputs,
        )
        self._iter += 1

    def _step(self, number: int, batch: dict) -> Outputs:
        """Forward and backward of one part of an iteration; the last one updates."""
        count = self._iter * self.accumulation + number
        torch.manual_seed(iteration_seed(self.runner.seed, count, get_rank()))
        try:
            return self.runner.model.train_step(batch, self.runner.optim_wrapper)
        except NonFiniteLossError as error:
            place = self._dump(batch, error)
            print_log(f'{error} Its batch lies in {place}.', logger='current')
            raise

    def _dump(self, batch: dict, error: NonFiniteLossError) -> Path:
        """Write the batch of a loss that is not finite; the error tells where."""
        name = f'non_finite_iter_{self._iter}_rank_{get_rank()}.pth'
        path = Path(self.runner.work_dir) / name
        content = dict(
            iteration=self._iter,
            outputs=error.values,
            state_dict=self._model().state_dict(),
            **batch,
        )
        buffer = io.BytesIO()
        torch.save(content, buffer)
        write_atomic(path, buffer.getvalue())
        error.args = (
            f'iteration {self._iter}: {error.args[0]} The batch and the weights before '
            f'it are in {path}. Lower the learning rate, clip gradients '
            '(optim_wrapper.clip_grad), or look at the batch; --resume goes on from '
            'the last checkpoint.',
        )
        return path

    def _model(self) -> Any:
        model = self.runner.model
        return model.module if is_model_wrapper(model) else model


def _mean_over_ranks(outputs: Outputs) -> Outputs:
    """Outputs averaged over processes, whose parts of a batch have one size."""
    if get_world_size() == 1:
        return outputs
    values = torch.stack([value.float() for value in outputs.values()])
    all_reduce(values, 'mean')
    return dict(zip(outputs, values, strict=True))


def _mean_outputs(found: list[Outputs]) -> Outputs:
    """Outputs of the parts of an iteration, averaged by name."""
    if len(found) == 1:
        return dict(found[0])
    names = found[0].keys()
    return {
        name: torch.stack([torch.as_tensor(part[name]) for part in found]).mean()
        for name in names
    }
