"""Iterations of a training with nothing around them: to measure the steps alone."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from densecorr.apis.evaluate import seed_of
from densecorr.apis.train import build_train_runner
from densecorr.engine.launch import start_processes, stop_processes

# Hooks that change what a step computes; the others watch, write or evaluate.
_KEPT = ('EMATeacherHook', 'FreezeHook')


def run_bare(
    cfg: Config,
    iters: int,
    hook: Hook,
    device: str | None = None,
    threads: int | None = None,
) -> None:
    """Train without checkpoints, logs, schedules, previews and validation.

    Args:
        cfg: see :func:`densecorr.apis.train.train_config`; it is not changed.
        iters: iterations.
        hook: sees every iteration, after all other hooks.
        device: ``'cpu'`` or ``'cuda'``; CUDA where there is one.
        threads: compute threads; default all cores.
    """
    cfg = copy.deepcopy(cfg)
    hooks = [each for each in cfg.get('custom_hooks') or [] if each['type'] in _KEPT]
    cfg.validation, cfg.custom_hooks, cfg.default_hooks = None, hooks, {}
    cfg.visualizer = cfg.param_scheduler = None
    cfg.train_cfg = dict(max_iters=iters)
    processes = start_processes(device, threads, seed=seed_of(cfg))
    try:
        with tempfile.TemporaryDirectory() as folder:
            runner: Any = build_train_runner(cfg, Path(folder), processes)
            runner.register_hook(hook, priority='LOWEST')
            runner.train()
    finally:
        stop_processes()
