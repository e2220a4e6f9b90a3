"""Checkpoints of training: plain, written in one step, resumed exactly."""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper

import densecorr
from densecorr.engine.hooks.due import is_due
from densecorr.registry import HOOKS
from densecorr.utils.checkpoints import read_checkpoint
from densecorr.utils.files import write_atomic

LAST = 'last_checkpoint'  # names the newest checkpoint, as MMEngine has it
_NAME = re.compile(r'iter_(\d+)\.pth')
_SCHEMA = 1
_PARTS = ('meta', 'state_dict', 'optimizer')


@HOOKS.register_module()
class TrainCheckpointHook(Hook):
    """Write checkpoints at intervals and at the end.

    A checkpoint is whole or not there, and ``last_checkpoint`` names one that is
    whole, whenever the run is killed.

    Args:
        interval: iterations or epochs between two checkpoints.
        unit: ``'iter'`` or ``'epoch'``.
        max_keep: newest checkpoints that are kept; None keeps all. Best ones of the
            validation are never removed here.

    Raises:
        ValueError: ``max_keep`` is below 1.
    """

    priority = 'VERY_LOW'  # after the hooks that change the model

    def __init__(
        self, interval: int = 1, unit: str = 'epoch', max_keep: int | None = 3
    ) -> None:
        if max_keep is not None and max_keep < 1:
            raise ValueError(f'max_keep is {max_keep}; give at least 1, or None.')
        self.interval, self.unit, self.max_keep = interval, unit, max_keep

    @master_only
    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Write the state after this iteration where it is due."""
        if not is_due(runner, self.interval, self.unit, last=True):
            return
        folder, done = Path(runner.work_dir), runner.iter + 1
        save_training(runner, folder / f'iter_{done}.pth', done)
        write_atomic(folder / LAST, f'iter_{done}.pth')
        if self.max_keep is not None:
            for old in find_checkpoints(folder)[self.max_keep :]:
                old.unlink(missing_ok=True)


def save_training(runner: Any, path: Path, iteration: int) -> None:
    """Write everything that a resumed run needs.

    Args:
        runner: in training.
        path: of the checkpoint.
        iteration: number of finished iterations.

    Raises:
        OSError: no space is left; nothing remains of the unfinished file.
    """
    loop, model = runner.train_loop, _method(runner)
    checkpoint = dict(
        meta=dict(
            schema=_SCHEMA,
            densecorr=densecorr.__version__,
            method=type(model).__name__,
            iter=iteration,
            epoch=iteration // loop.iters_per_epoch,
            iters_per_epoch=loop.iters_per_epoch,
            seed=runner.seed,
            config=runner.config_text,
        ),
        state_dict=model.state_dict(),
        optimizer=runner.optim_wrapper.state_dict(),
        replaced_clips=loop.replaced_clips.state_dict(),
    )
    if runner.param_schedulers:
        states = [scheduler.state_dict() for scheduler in runner.param_schedulers]
        checkpoint['param_schedulers'] = states
    runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    write_atomic(path, buffer.getvalue())


def find_checkpoints(folder: str | Path) -> list[Path]:
    """Checkpoints of a training folder, the newest first; not the best ones."""
    found = [p for p in Path(folder).glob('iter_*.pth') if _NAME.fullmatch(p.name)]
    return sorted(found, key=lambda path: -_iteration(path))


def newest_checkpoint(folder: str | Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint of a folder that can be read, with its content."""
    for path in find_checkpoints(folder):
        try:
            return path, read_training(path)
        except ValueError as error:
            print_log(
                f'{path} is left out: {error}', logger='current', level=logging.WARNING
            )
    return None


def read_training(path: str | Path) -> dict[str, Any]:
    """Content of a checkpoint that training can go on from.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or weights alone.
    """
    content = read_checkpoint(path)
    parts = content if isinstance(content, dict) else {}
    missing = [part for part in _PARTS if part not in parts]
    if missing:
        raise ValueError(
            f'{path} has no {missing}, so training cannot go on from it. Give a '
            'checkpoint of a training run to --resume; weights alone are where '
            'training begins: init = dict(backbone=PATH) in the config.'
        )
    return parts


def restore(runner: Any, path: str | Path, checkpoint: dict[str, Any]) -> None:
    """Put a checkpoint into a runner that is about to train.

    Raises:
        ValueError: it is of another method, or of a network with other tensors.
    """
    meta, model = checkpoint['meta'], _method(runner)
    own = type(model).__name__
    if meta.get('method') != own:
        raise ValueError(
            f'{path} was written by the method {meta.get("method")!r}, the config '
            f'trains {own!r}. Resume it with its own config, or begin with its '
            f'backbone alone: init = dict(backbone={str(path)!r}).'
        )
    try:
        model.load_state_dict(checkpoint['state_dict'])
        runner.optim_wrapper.load_state_dict(checkpoint['optimizer'])
    except (RuntimeError, ValueError, KeyError) as error:
        raise ValueError(
            f'{path} does not fit the model or optimiser of the config, which must '
            f'have changed since it was written: {error}'
        ) from error
    for scheduler, state in zip(
        runner.param_schedulers or [],
        checkpoint.get('param_schedulers', []),
        strict=True,
    ):
        scheduler.load_state_dict(state)
    loop = runner.train_loop
    loop.replaced_clips.load_state_dict(checkpoint.get('replaced_clips', {}))
    loop.resume_at(meta['iter'])
    runner.call_hook('after_load_checkpoint', checkpoint=checkpoint)
    _warn_of_changes(path, meta, loop.iters_per_epoch, runner.seed)
    print_log(f'resumed from {path}: {meta["iter"]} iterations are done', 'current')


def _warn_of_changes(path: Any, meta: dict, iters_per_epoch: int, seed: int) -> None:
    now = dict(iters_per_epoch=iters_per_epoch, seed=seed)
    changed = {k: (meta.get(k), v) for k, v in now.items() if meta.get(k) != v}
    if changed:
        words = [
            f'{key} {old} before, {new} now' for key, (old, new) in changed.items()
        ]
        print_log(
            f'{path} was written by a run with other data or batches '
            f'({"; ".join(words)}): the result differs from that of an unbroken run.',
            logger='current',
            level=logging.WARNING,
        )


def _iteration(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    assert found is not None  # chosen by this pattern
    return int(found.group(1))


def _method(runner: Any) -> Any:
    model = runner.model
    return model.module if is_model_wrapper(model) else model
