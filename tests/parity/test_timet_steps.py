"""TimeT: three steps of training by the shipped configs, with and without a teacher."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook

from densecorr.apis.config import load_config
from densecorr.apis.train import build_train_runner
from densecorr.engine.launch import start_processes, stop_processes
from densecorr.registry import DATASETS

from .adapters_timet import (
    CONFIGS,
    LOSS,
    NETWORK,
    load_official,
    model_of,
    named_parameters,
    our_names,
)
from .replay import DEVICE, Case, replay


@DATASETS.register_module()
class RecordedClips:
    """Clips of the recorded steps, one after the other, whatever is asked for."""

    def __init__(self, path: str, length: int) -> None:
        self.frames = Case(Path(path)).tensor('frames').movedim(-1, -3).flatten(0, 1)
        self.length, self.given, self.metainfo = length, 0, dict(name='recorded')

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: Any) -> dict:
        frames = self.frames[self.given % len(self.frames)]
        self.given += 1
        return dict(inputs=dict(frames=frames.cpu()), data_samples={})


class Steps(Hook):
    """What every step used and changed.

    Args:
        watched: parameters whose change is kept.
        groups: parameters, one of each group of the official optimiser.
    """

    def __init__(self, watched: list[str], groups: list[str]) -> None:
        self.watched, self.groups = watched, groups
        self.rates: list = []
        self.losses: list = []
        self.changes: list = []
        self.teacher_changes: list = []

    def _parameters(self, runner: Any, prefix: str) -> list[torch.Tensor]:
        named = named_parameters(runner.model)
        wanted = [prefix + name for name in self.watched]
        return [named[name].detach().clone() for name in wanted if name in named]

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        if runner.iter == 0:
            self.start = self._parameters(runner, '')
        named = named_parameters(runner.model)
        groups = runner.optim_wrapper.optimizer.param_groups
        owner = {id(p): group for group in groups for p in group['params']}
        own = [owner[id(named[name])] for name in self.groups]
        self.rates.append([(group['lr'], group['weight_decay']) for group in own])

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.losses.append(float(outputs['loss']))
        for prefix, kept in (('', self.changes), ('teacher.', self.teacher_changes)):
            now = self._parameters(runner, prefix)
            pairs = zip(now, self.start, strict=False)
            kept.append([float((new - old).norm()) for new, old in pairs])


def recorded_training(case: Case, mode: str, folder: Path) -> Steps:
    """Train by the shipped config with the case's numbers."""
    taught = mode != 'no_teacher'
    cfg = load_config(CONFIGS / f'timet_vits16{"_teacher" * taught}.py')
    cfg.init = cfg.validation = cfg.visualizer = None
    cfg.model = model_of(case, teacher=taught, unfrozen=case.unfrozen.tolist())
    length = case.iters_per_epoch * case.frames.shape[1]
    dataset = dict(type='RecordedClips', path=str(case.path), length=length)
    cfg.train_dataloader = dict(
        batch_size=case.frames.shape[1], num_workers=0, dataset=dataset
    )
    cfg.train_cfg = dict(max_epochs=case.epochs)
    cfg.optim_wrapper.optimizer.update(lr=case.head_lr, weight_decay=case.wd_start)
    rate = case.backbone_lr / case.head_lr
    cfg.optim_wrapper.paramwise_cfg.groups.backbone.lr_mult = rate
    schedules = cfg.default_hooks.schedules
    schedules['values'][1].schedule.end = case.wd_end / case.wd_start
    if taught:
        ends = np.array([case.ema_start, case.ema_end])
        start, end = ends if mode == 'standard_ema' else 1 - ends
        schedules['values'][2].schedule.update(start=float(start), end=float(end))
    cfg.default_hooks = dict(schedules=schedules)
    processes = start_processes(DEVICE, 1, seed=0)
    try:
        runner = build_train_runner(cfg, folder, processes)
        load_official(case, runner.model)
        steps = Steps(our_names(case.watched), first_of_groups(case))
        runner.register_hook(steps, priority='LOWEST')
        runner.train()
        check_groups(case, runner)
    finally:
        stop_processes()
    return steps


def first_of_groups(case: Case) -> list[str]:
    """A parameter of every official group; one that is alike for the empty group."""
    firsts = [str(text).split('|')[0] for text in case.group_params]
    alike = firsts[3]  # a bias of the head
    return [name for first in firsts for name in our_names([first or alike])]


def check_groups(case: Case, runner: Any) -> None:
    """Parameters of one official group are trained alike, and no others are."""
    named = named_parameters(runner.model)
    groups = runner.optim_wrapper.optimizer.param_groups
    owner = {id(p): number for number, g in enumerate(groups) for p in g['params']}
    official = [our_names(str(text).split('|')) for text in case.group_params if text]
    for names in official:
        assert len({owner[id(named[name])] for name in names}) == 1, names
    assert sum(map(len, official)) == len(owner)
    case.compared('group_params')


@replay(
    'timet',
    'train_steps',
    inputs=[
        *NETWORK, *LOSS, 'grid', 'unfrozen', 'head_lr', 'backbone_lr', 'wd_start',
        'wd_end', 'epochs', 'iters_per_epoch', 'ema_*', 'watched',
    ],
)  # fmt: skip
def test_training_steps(case: Case) -> None:
    for mode in ('no_teacher', 'standard_ema', 'official_ema'):
        with tempfile.TemporaryDirectory() as folder:
            steps = recorded_training(case, mode, Path(folder))
        recorded = len(case.frames)
        rates = np.array(steps.rates[:recorded])  # (steps, groups, 2)
        case.close('lr_log', rates[..., 0], atol=1e-12)
        case.close('wd_log', rates[..., 1], atol=1e-9)
        case.close(f'losses_{mode}', np.array(steps.losses[:recorded]), atol=1e-4)
        close_norms(case, f'change_norms_{mode}', steps.changes[:recorded])
        if mode != 'no_teacher':
            found = steps.teacher_changes[:recorded]
            close_norms(case, f'teacher_change_norms_{mode}', found)


def close_norms(case: Case, name: str, found: list) -> None:
    """Relative 2e-3, or absolute 3e-6 where the value is below 1e-3."""
    expected = case[name]
    bound = np.where(expected < 1e-3, 3e-6, 2e-3 * expected)
    assert (np.abs(np.array(found) - expected) <= bound).all(), name
    case.compared(name)
