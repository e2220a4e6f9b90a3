import logging

import pytest
import torch

from densecorr.engine.hooks import CollapseError, CollapseMonitorHook
from densecorr.engine.hooks import collapse_monitor as module
from tests.test_engine.hook_toys import fake_runner

LOW, HIGH, NAN = 0.01, 0.5, float('nan')


@pytest.fixture
def warnings(monkeypatch):
    said = []

    def note(text, logger, level):
        assert (logger, level) == ('current', logging.WARNING)
        said.append(text)

    monkeypatch.setattr(module, 'print_log', note)
    return said


def feed(hook, values, runner=None):
    runner = runner or fake_runner([hook])
    for value in values:
        outputs = dict(feature_std=torch.tensor(value), loss=torch.tensor(1.0))
        hook.after_train_iter(runner, runner.iter, None, outputs)
        runner.iter += 1
    return runner


def monitor(**kwargs):
    return CollapseMonitorHook({'feature_std': 0.05}, **{'patience': 3, **kwargs})


def test_a_collapse_is_told_once(warnings):
    feed(monitor(), [HIGH] + [LOW] * 10)
    assert warnings == [
        'feature_std has been below 0.05 for 3 iterations, it is 0.01 in iteration 4: '
        'the features or assignments seem to have collapsed.'
    ]


def test_it_is_told_again_after_a_recovery(warnings):
    feed(monitor(), [LOW] * 5 + [HIGH] + [LOW] * 2 + [HIGH] + [LOW] * 3)
    assert [text.split(' in ')[1][:12] for text in warnings] == [
        'iteration 3:',
        'iteration 12',
    ]


def test_a_value_at_its_bound_is_well_and_nan_is_not(warnings):
    feed(monitor(), [0.0501] * 9)
    assert warnings == []
    feed(monitor(), [NAN] * 3)
    assert len(warnings) == 1


def test_training_can_be_stopped():
    with pytest.raises(CollapseError, match=r'collapsed\. Training stops because'):
        feed(monitor(stop=True), [LOW] * 3)


def test_counts_go_through_checkpoints(warnings):
    first, checkpoint = monitor(), {}
    runner = feed(first, [LOW] * 2)
    first.before_save_checkpoint(runner, checkpoint)
    assert checkpoint == dict(collapse_monitor=dict(feature_std=2))
    second = monitor()
    second.after_load_checkpoint(runner, checkpoint)
    feed(second, [LOW], runner)
    assert len(warnings) == 1
    second.after_load_checkpoint(runner, {})  # written without the hook
    feed(second, [LOW], runner)
    assert len(warnings) == 1


def test_outputs_that_come_now_and_then_are_counted_when_they_come(warnings):
    hook = monitor()
    runner = feed(hook, [LOW] * 2)
    hook.after_train_iter(runner, 2, None, dict(loss=torch.tensor(1.0)))
    feed(hook, [LOW], runner)
    assert len(warnings) == 1


def test_bad_arguments_are_named():
    with pytest.raises(KeyError, match=r"watches 'featur_std'.*mean 'feature_std'"):
        feed(CollapseMonitorHook({'featur_std': 0.1}), [HIGH])
    with pytest.raises(ValueError, match=r'has watch \{\} and patience 100'):
        CollapseMonitorHook({})
    with pytest.raises(ValueError, match='patience 0; watch at least one'):
        monitor(patience=0)
