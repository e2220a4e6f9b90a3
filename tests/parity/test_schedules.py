"""Replays of catmae, spa_then_temp, timet and smtc: schedules and teacher updates."""

import numpy as np
import torch.nn.functional as F

from densecorr.ops.ema import ema_update_
from densecorr.ops.schedule import make_schedule

from .replay import replay


def values(config, iterations, iters_per_epoch, total_iters):
    schedule = make_schedule(config, iters_per_epoch, total_iters)
    return np.array([schedule(i) for i in iterations])


@replay(
    'catmae',
    'lr_schedule',
    inputs=['epoch', 'warmup_epochs', 'epochs', 'min_lr', 'base_lr', 'effective_batch'],
)
def test_catmae_lr_schedule(case):
    peak = case.base_lr * case.effective_batch / 256
    case.close('peak_lr', peak, atol=1e-9)
    config = dict(
        type='cosine', end=case.min_lr / peak, warmup=case.warmup_epochs, unit='epoch'
    )
    found = values(config, case.epoch, 1, case.epochs)  # fractions of an epoch
    case.close('lr', peak * found, atol=1e-9)


@replay(
    'spa_then_temp',
    'lr_schedule',
    inputs=[
        'base_lr',
        'epochs',
        'iters_per_epoch',
        'warmup_epochs',
        'warmup_ratio',
        'min_lr_ratio',
    ],
)
def test_spa_then_temp_lr_schedule(case):
    warmup = dict(type='linear', start=case.warmup_ratio, length=case.warmup_epochs)
    decay = dict(type='cosine', end=case.min_lr_ratio)
    config = dict(type='product', schedules=[decay, dict(warmup, unit='epoch')])
    total = case.epochs * case.iters_per_epoch
    found = values(config, range(total), case.iters_per_epoch, total)
    case.close('lr', case.base_lr * found, atol=0, rtol=1e-6)


@replay(
    'timet',
    'ema_schedules',
    inputs=[
        'epochs',
        'iters_per_epoch',
        'ema_start',
        'ema_end',
        'wd_start',
        'wd_end',
        'lr_base',
        'lr_min',
        'step',
        'student',
        'teacher',
        'student_prototypes',
        'teacher_prototypes',
    ],
)
def test_timet_schedules_and_teacher(case):
    length, steps = case.iters_per_epoch, case.epochs * case.iters_per_epoch
    decay = dict(type='cosine', start=case.ema_start, end=case.ema_end)
    decays = values(decay, range(steps), length, steps)
    case.close('momentum_schedule', decays, atol=1e-9)
    weight = dict(type='cosine', start=case.wd_start, end=case.wd_end)
    case.close('wd_schedule', values(weight, range(steps), length, steps), atol=1e-9)
    rate = dict(type='cosine', end=case.lr_min / case.lr_base)
    rates = case.lr_base * values(rate, range(steps), length, steps)
    case.close('lr_log', rates, atol=1e-12)
    # The training script has the weights of old and new exchanged.
    for name, ema_decay in dict(
        standard=decays[case.step], official=1 - decays[case.step]
    ).items():
        teacher = case.tensor('teacher').clone()
        prototypes = case.tensor('teacher_prototypes').clone()
        ema_update_(teacher, case.tensor('student'), ema_decay)
        ema_update_(prototypes, case.tensor('student_prototypes'), ema_decay)
        case.close(f'teacher_after_{name}', teacher, atol=1e-6)
        unit = F.normalize(prototypes, dim=-1)
        case.close(f'teacher_prototypes_after_{name}', unit, atol=1e-6)


@replay(
    'smtc',
    'schedule',
    inputs=[
        'lr_*',
        'num_train_steps_*',
        'iters_per_epoch_*',
        'grad_iter_*',
        'iterations_*',
    ],
)
def test_smtc_schedule(case):
    runs = sorted(name[3:] for name in case.arrays if name.startswith('lr_'))
    assert runs
    for run in runs:
        length = case[f'iters_per_epoch_{run}']
        total = case[f'num_train_steps_{run}'] // length * length
        case.exact(f'schedule_length_{run}', total)
        decay = dict(type='cosine', end=0.1)
        gate = dict(
            type='piecewise', milestones=[case[f'grad_iter_{run}']], values=[0, 0.01]
        )
        encoder = dict(type='product', schedules=[decay, gate])
        for name, config in dict(head=decay, encoder=encoder).items():
            found = values(config, case[f'iterations_{run}'], length, total)
            expected = f'{name}_lr_{run}'
            case.close(expected, case[f'lr_{run}'] * found, atol=0, rtol=1e-6)
