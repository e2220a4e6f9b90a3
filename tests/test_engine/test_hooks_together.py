"""The hooks in a real training, broken off and resumed."""

import itertools
import json

import pytest
import torch

from densecorr.apis.train import train
from tests.test_engine.hook_toys import IMPORTS, METHOD
from tests.training_toys import write_config

HOOKS = [
    dict(
        type='ScheduledValuesHook',
        values=[
            dict(target='lr', schedule=dict(type='cosine', warmup=2)),
            dict(target='temperature', schedule=dict(type='linear', start=1, end=2)),
            dict(
                target='EMATeacherHook.ema_decay',
                schedule=dict(type='cosine', start=0.5, end=1),
            ),
        ],
    ),
    dict(type='EMATeacherHook', ema_decay=0.5),
    dict(type='FreezeHook', patterns=['head.*'], begin=2, end=5),
    dict(type='CollapseMonitorHook', watch=dict(feature_std=100), patience=5),
]


def run(folder, out, resume=None):
    config = write_config(
        folder,
        custom_imports=IMPORTS,
        model=METHOD,
        custom_hooks=[
            *HOOKS,
            dict(type='OutputsHook', path=str(folder / f'{out}.txt')),
        ],
        default_hooks=dict(
            log=dict(type='TrainLogHook'),
            checkpoint=dict(
                type='TrainCheckpointHook', interval=1, unit='iter', max_keep=None
            ),
        ),
    )
    train(config, folder / out, resume=resume, device='cpu', threads=1)
    rows = (folder / f'{out}.txt').read_text().splitlines()
    return folder / out, [json.loads(row) for row in rows]


def read(path):
    return torch.load(path, weights_only=True)


def test_a_resumed_run_equals_an_unbroken_one(tmp_path):
    whole, rows = run(tmp_path, 'whole')
    again, later = run(tmp_path, 'again', resume=str(whole / 'iter_3.pth'))
    assert later == rows[3:]
    one, other = read(whole / 'iter_6.pth'), read(again / 'iter_6.pth')
    assert one['state_dict'].keys() == other['state_dict'].keys()
    for name, value in one['state_dict'].items():
        assert torch.equal(value, other['state_dict'][name]), name
    assert str(one['optimizer']) == str(other['optimizer'])
    assert one['collapse_monitor'] == other['collapse_monitor'] == dict(feature_std=6)
    logs = [next(folder.rglob('*.log')).read_text() for folder in (whole, again)]
    for log in logs:  # iterations 1 to 5, also where a run was broken off after 3
        assert log.count('feature_std has been below 100 for 5 iterations') == 1

    expected = pytest.approx([1 + i / 6 for i in range(6)])
    assert [row['seen_temperature'] for row in rows] == expected
    assert [row['scheduled/temperature'] for row in rows] == expected
    states = [read(whole / f'iter_{i}.pth')['state_dict'] for i in range(1, 7)]
    heads = [state['head.weight'] for state in states]
    same = [torch.equal(a, b) for a, b in itertools.pairwise(heads)]
    assert same == [False, True, True, True, False]
    decay = rows[4]['scheduled/EMATeacherHook.ema_decay']
    name = 'conv.weight'
    expected = decay * states[3][f'teacher.{name}']
    expected += (1 - decay) * states[4][f'backbone.{name}']
    torch.testing.assert_close(states[4][f'teacher.{name}'], expected)
