"""From a config to a trained network."""

from __future__ import annotations

import difflib
import itertools
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel
from torch import nn

from densecorr.apis.config import apply_options, load_config
from densecorr.apis.evaluate import seed_of
from densecorr.apis.initial_weights import build_with_weights, missing_weights
from densecorr.apis.validation import (
    build_validation,
    validation_tasks,
    with_preview_tasks,
)
from densecorr.engine.activation_checkpointing import checkpoint_activations
from densecorr.engine.compiling import compile_if_asked
from densecorr.engine.launch import (
    Processes,
    gather,
    start_processes,
    stop_processes,
)
from densecorr.engine.train_checkpoint import find_checkpoints
from densecorr.engine.train_loader import build_loader
from densecorr.engine.train_runner import TrainRunner
from densecorr.engine.unused_parameters import leave_out
from densecorr.engine.validation_hook import BEST, ValidationHook
from densecorr.models.layers.sync_batch_norm import convert_sync_batch_norm
from densecorr.models.methods.base import BaseMethod
from densecorr.registry import DATASETS
from densecorr.utils.files import full_disk_named, make_folder, write_atomic
from densecorr.utils.plain_config import PlainConfig

_REQUIRED = ('model', 'train_dataloader', 'optim_wrapper', 'train_cfg')
_KNOWN = (
    *_REQUIRED,
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'custom_hooks',
    'custom_imports',
    'default_hooks',
    'default_scope',
    'init',
    'log_level',
    'param_scheduler',
    'randomness',
    'sync_bn',
    'teacher',
    'tracker',
    'unused_parameters',
    'validation',
    'visualizer',
)
# Fields by which MMEngine's Runner would do again what is done here.
_DONE_HERE = ('activation_checkpointing', 'compile')
_MISSPELT = 0.8  # likeness of names from which one is taken for a misspelt other
_runs = itertools.count()  # names of loggers: several runs in one process


def train(
    config: str | Path,
    work_dir: str | Path | None = None,
    *,
    resume: str | None = None,
    overwrite: bool = False,
    cfg_options: Mapping[str, Any] | None = None,
    amp: str | None = None,
    auto_scale_lr: bool = False,
    device: str | None = None,
    threads: int | None = None,
    tf32: bool = False,
) -> dict[str, Any]:
    """Train a method; under torchrun every process calls this.

    Args:
        config: config file.
        work_dir: folder of checkpoints and logs; default ``work_dirs/<config>``.
        resume: checkpoint to go on from, or ``'auto'``: the newest whole one of the
            folder, if there is one.
        overwrite: start anew in a folder that has checkpoints; they are removed.
        cfg_options: changes of the config by dotted key.
        amp: ``'bfloat16'`` or ``'float16'`` trains in mixed precision.
        auto_scale_lr: scale the learning rate by the global batch over
            ``auto_scale_lr.base_batch_size`` of the config.
        device: ``'cpu'`` or ``'cuda'``; CUDA where there is one.
        threads: compute threads per process; default cores / processes.
        tf32: allow TF32 on a GPU.

    Returns:
        ``work_dir``, ``checkpoint`` (the last one), ``iterations``, the numbers of the
        ``validation`` over time, and whether this process ``is_first``.

    Raises:
        ValueError: checkpoints of another run in the folder; bad options or sizes.
        KeyError: a field of the config is missing, misspelt or unknown.
        FileNotFoundError: no config, dataset or checkpoint.
        NonFiniteLossError: a loss became NaN or infinite.
    """
    cfg = train_config(config, cfg_options, amp)
    folder = Path(work_dir or Path('work_dirs') / Path(config).stem)
    processes = start_processes(device, threads, tf32, seed_of(cfg))
    try:
        if processes.local_rank == 0:
            prepare_folder(folder, resume, overwrite)
        gather(None)
        runner = build_train_runner(
            cfg, folder, processes, resume, auto_scale_lr, cfg_options
        )
        _log_sizes(cfg, runner, processes)
        started = time.time()
        try:
            with full_disk_named(folder):
                runner.train()
        finally:
            runner.visualizer.close()  # what trackers hold back is written
        print_log(f'trained in {time.time() - started:.0f} s', logger='current')
        found = find_checkpoints(folder)
        return dict(
            work_dir=str(folder),
            checkpoint=str(found[0]) if found else None,
            iterations=runner.iter,
            validation=_history(runner),
            is_first=processes.is_first,
        )
    finally:
        stop_processes()


def train_config(
    config: str | Path, options: Mapping[str, Any] | None, amp: str | None = None
) -> Config:
    """Read the config of a training and check the names of its fields.

    Raises:
        KeyError: a field is missing or misspelt.
    """
    cfg = apply_options(load_config(config), options)
    for name in cfg:
        near = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=_MISSPELT)
        if near and name not in _KNOWN and near[0] not in cfg:
            raise KeyError(
                f'{cfg.filename} has {name!r}, which training does not read. Did you '
                f'mean {near[0]!r}?'
            )
    missing = [name for name in _REQUIRED if name not in cfg]
    if missing:
        raise KeyError(
            f'{cfg.filename} lacks {missing}, so it cannot be trained. Configs for '
            'training lie in configs/train; those in configs/test evaluate weights.'
        )
    if amp is not None:
        cfg.optim_wrapper.update(type='AutocastOptimWrapper', dtype=amp)
    return cfg


def prepare_folder(folder: Path, resume: str | None, overwrite: bool) -> None:
    """Make the folder; refuse to mix a new run with the checkpoints of another.

    Raises:
        ValueError: it has checkpoints, and neither ``resume`` nor ``overwrite`` is
            given.
    """
    make_folder(folder)
    old = find_checkpoints(folder)
    if resume is not None or not old:
        return
    if not overwrite:
        raise ValueError(
            f'{folder} has checkpoints of an earlier run, the newest is '
            f'{old[0].name}. Go on from it with --resume, start anew with --overwrite, '
            'or give another --work-dir.'
        )
    best = (path for kind in BEST for path in folder.glob(kind))
    for path in (*old, *best):
        path.unlink()


def build_train_runner(
    cfg: Config,
    folder: Path,
    processes: Processes,
    resume: str | None = None,
    auto_scale_lr: bool = False,
    options: Mapping[str, Any] | None = None,
) -> TrainRunner:
    """Dataset, then model, then the Runner: missing data or weights stop a run at once.

    Args:
        cfg: see :func:`train_config`.
        folder: of checkpoints and logs.
        processes: of this run.
        resume: see :func:`train`.
        auto_scale_lr: see :func:`train`.
        options: those of the command line, for the tasks of the validation.
    """
    loader = cfg.train_dataloader.to_dict()
    loader['dataset'] = _dataset(cfg, loader['dataset'])
    counts = cfg.optim_wrapper.get('accumulative_counts', 1)
    world = processes.world_size
    build_loader(loader, 0, 0, world, counts)  # sizes are checked before the model
    if auto_scale_lr:
        scale_learning_rate(cfg, loader['batch_size'] * world * counts)
    model = build_method(cfg, processes)
    hooks = with_preview_tasks(cfg.get('custom_hooks') or [], cfg, options)
    if cfg.get('validation'):
        validate = build_validation(cfg, options, model, processes)
        settings = {k: v for k, v in cfg.validation.items() if k != 'options'}
        settings['tasks'] = list(validation_tasks(cfg))
        hooks.append(ValidationHook(validate, **settings))
    runner = TrainRunner(
        resume_from=resume,
        model=_wrapped(model, processes),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg={'type': 'ClipTrainLoop', **cfg.train_cfg},
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.get('param_scheduler'),
        default_hooks=cfg.get('default_hooks'),
        custom_hooks=hooks,
        visualizer=cfg.get('visualizer'),
        default_scope=cfg.get('default_scope', 'densecorr'),
        randomness=dict(seed=seed_of(cfg)),
        log_level=cfg.get('log_level', 'INFO'),
        experiment_name=f'{Path(cfg.filename).stem}-train-{next(_runs)}',
        cfg=_for_runner(cfg),
        config_text=cfg.pretty_text,
    )
    runner.model.to(processes.device)  # the Runner takes CUDA wherever there is one
    if processes.is_first:
        write_atomic(folder / 'config.py', cfg.pretty_text)
    return runner


def _dataset(cfg: Config, config: dict[str, Any]) -> Any:
    """The dataset of a training whose initial weights are there.

    Raises:
        FileNotFoundError: data or weights are missing; tells about both.
    """
    missing = missing_weights(cfg)
    try:
        dataset = DATASETS.build(config)
    except FileNotFoundError as error:
        raise FileNotFoundError(f'{error}\n{missing}'.rstrip()) from error
    if missing:
        raise FileNotFoundError(missing)
    return dataset


def build_method(cfg: Config, processes: Processes) -> BaseMethod:
    """The method with its initial weights, on its device, changed as the config says.

    See :func:`densecorr.apis.initial_weights.build_with_weights`.
    """
    model = build_with_weights(cfg)
    leave_out(model, cfg.get('unused_parameters') or [])
    if cfg.get('sync_bn') and processes.world_size > 1:
        convert_sync_batch_norm(model, processes.device)
    model.to(processes.device)
    checkpoint_activations(model, cfg.get('activation_checkpointing') or [])
    compile_if_asked(model, cfg.get('compile'))
    return model


def scale_learning_rate(cfg: Config, batch: int) -> None:
    """Scale the learning rate linearly with the global batch, in the config.

    Args:
        cfg: with ``auto_scale_lr = dict(base_batch_size=...)``; it is changed.
        batch: clips of an iteration over all processes.

    Raises:
        KeyError: the config does not say which batch its rate is for.
    """
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    if not base:
        raise KeyError(
            f'{cfg.filename} does not say for how many clips its learning rate is: '
            'add auto_scale_lr = dict(base_batch_size=...), or leave --auto-scale-lr '
            'out.'
        )
    optimizer = cfg.optim_wrapper.optimizer
    rate = optimizer.lr * batch / base
    print_log(
        f'learning rate {optimizer.lr:g} for {base} clips becomes {rate:g} for {batch}',
        logger='current',
    )
    optimizer.lr = rate


def _wrapped(model: BaseMethod, processes: Processes) -> nn.Module:
    """The method, or several processes' common method."""
    if processes.world_size == 1:
        return model
    devices = None if processes.device.type == 'cpu' else [processes.local_rank]
    wrapped = MMDistributedDataParallel(model, device_ids=devices)
    wrapped.broadcast_buffers = False  # an argument in older torch alone
    return wrapped


def _for_runner(cfg: Config) -> Config:
    fields = {k: v for k, v in cfg.to_dict().items() if k not in _DONE_HERE}
    return PlainConfig(fields, filename=cfg.filename)


def _log_sizes(cfg: Config, runner: TrainRunner, processes: Processes) -> None:
    size = cfg.train_dataloader.batch_size
    counts = cfg.optim_wrapper.get('accumulative_counts', 1)
    world, data = processes.world_size, runner.train_items
    print_log(
        f'world size {world}: rank {processes.rank} on {processes.device}, '
        f'{processes.threads} threads; an iteration has {size} clips x {world} '
        f'processes x {counts} accumulated = {size * world * counts} of the '
        f'{len(data)} clips of an epoch',
        logger='current',
    )


def _history(runner: TrainRunner) -> list[dict]:
    """Numbers of the validation over time; empty where there was none."""
    hooks = [hook for hook in runner.hooks if isinstance(hook, ValidationHook)]
    return hooks[0].history if hooks else []
