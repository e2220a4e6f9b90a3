import json
import logging
import re

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from densecorr.apis.train import train
from densecorr.engine.hooks import ScheduledValuesHook, TrainLogHook
from densecorr.engine.hooks import train_log as module
from tests.test_engine.hook_toys import IMPORTS, METHOD, Net, iterate, start
from tests.training_toys import write_config

BACKENDS = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, logger='hook-toys')
    return lambda: [record.getMessage() for record in caplog.records]


def test_every_iteration_goes_to_the_visualizer_and_some_to_the_screen(lines):
    runner = start(TrainLogHook(interval=4), max_iters=10)
    for number in range(10):
        iterate(runner, outputs=dict(spread=float(number)))
    assert list(runner.visualizer.scalars) == list(range(1, 11))
    last = runner.visualizer.scalars[10]
    assert set(last) == {'loss', 'spread', 'lr', 'data_time', 'step_time'}
    assert (last['spread'], last['lr'], last['step_time']) == (9.0, 0.1, 0.5)
    assert [re.search(r'iteration (\d+)/10', text)[1] for text in lines()] == [
        '1',
        '4',
        '8',
        '10',
    ]
    means = [re.search(r'spread (\S+)', text)[1] for text in lines()]
    assert means == ['0', '2', '5.5', '8.5']  # of 0 | 1 2 3 | 4 5 6 7 | 8 9


def test_a_line_says_what_it_should(lines, monkeypatch):
    clock = iter([100.0, 103.0])
    monkeypatch.setattr(module.time, 'perf_counter', lambda: next(clock))
    monkeypatch.setattr(module, '_memory', lambda: 512 * 2**20)
    runner = start(TrainLogHook(), max_iters=21)
    iterate(runner, outputs=dict(spread=torch.tensor(0.25)))
    (text,) = lines()
    loss = runner.visualizer.scalars[1]['loss']
    assert text == (
        f'epoch 1/5  iteration 1/21  loss {loss:.4g}  spread 0.25  lr 1.000e-01  '
        'data 0.250 s, step 0.500 s  ETA 0:01:00  memory 512 MiB'
    )


def test_a_resumed_run_counts_time_from_its_own_start(lines, monkeypatch):
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(module.time, 'perf_counter', lambda: next(clock))
    runner = start(TrainLogHook(interval=100), max_iters=20)
    runner.iter = 9
    iterate(runner)
    (text,) = lines()
    assert 'iteration 10/20' in text
    assert 'ETA 0:00:20' in text


def test_rates_that_differ_are_told_apart_from_then_on():
    model = Net()
    parts = [
        dict(params=model.first.parameters(), name='backbone'),
        dict(params=model.norm.parameters()),
        dict(params=model.last.parameters()),
    ]
    optimizer = torch.optim.SGD(parts, lr=0.1)
    schedule = dict(type='interpolated', positions=[1, 2, 3], values=[1, 0, 1])
    values = [dict(target='lr', schedule=schedule, groups=['backbone'])]
    hooks = (ScheduledValuesHook(values), TrainLogHook())
    runner = start(*hooks, model=model, optimizer=optimizer)
    iterate(runner, 4)
    rates = [
        {k: v for k, v in runner.visualizer.scalars[i].items() if 'lr' in k}
        for i in (1, 3, 4)
    ]
    assert rates[0] == {'lr': 0.1}
    assert rates[1] == {'lr/backbone': 0.0, 'lr/1': 0.1}
    assert rates[2] == {'lr/backbone': 0.1, 'lr/1': 0.1}


def test_other_processes_write_nothing(lines, monkeypatch):
    monkeypatch.setattr(module, 'is_main_process', lambda: False)
    runner = start(TrainLogHook())
    iterate(runner, 3)
    assert not runner.visualizer.scalars
    assert not lines()


def test_bad_outputs_and_intervals_are_named():
    runner = start(TrainLogHook())
    with pytest.raises(TypeError, match=r"output 'maps' .* Tensor of shape \(2, 3\)"):
        iterate(runner, outputs=dict(maps=torch.zeros(2, 3)))
    with pytest.raises(ValueError, match='interval of TrainLogHook is 0; at least 1'):
        TrainLogHook(interval=0)


def test_memory_is_that_of_this_process():
    assert 50 * 2**20 < module._memory() < 2**40


@pytest.mark.parametrize('iterations', [1, 5])
def test_tensorboard_holds_the_scalars_of_every_iteration(tmp_path, iterations):
    config = write_config(
        tmp_path,
        custom_imports=IMPORTS,
        model=METHOD,
        train_cfg=dict(max_iters=iterations),
        default_hooks=dict(log=dict(type='TrainLogHook', interval=2)),
        visualizer=dict(type='Visualizer', vis_backends=BACKENDS),
    )
    train(config, tmp_path / 'run', device='cpu', threads=1)
    (events,) = (tmp_path / 'run').rglob('events.out.tfevents.*')
    found = EventAccumulator(str(events.parent))
    found.Reload()
    tags = {'loss', 'loss_edges', 'feature_std', 'lr', 'data_time', 'step_time'}
    assert tags <= set(found.Tags()['scalars'])
    for tag in tags:
        steps = [event.step for event in found.Scalars(tag)]
        assert steps == list(range(1, iterations + 1))
    (path,) = (tmp_path / 'run').rglob('scalars.json')
    rows = [json.loads(text) for text in path.read_text().splitlines()]
    written = [event.value for event in found.Scalars('loss')]
    assert [row['loss'] for row in rows] == pytest.approx(written)
    (log,) = (tmp_path / 'run').rglob('*.log')
    text = log.read_text()
    shown = re.findall(rf'epoch \d+/\d+  iteration (\d+)/{iterations}  loss ', text)
    assert shown == (['1'] if iterations == 1 else ['1', '2', '4', '5'])
