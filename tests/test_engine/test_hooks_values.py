import copy

import pytest
import torch

from densecorr.engine.hooks import FreezeHook, ScheduledValuesHook
from tests.test_engine.hook_toys import Net, fake_runner, iterate, start

LINE = dict(type='linear', start=1.0, end=0.0)  # over 20 iterations


def entry(target, schedule=LINE, **kwargs):
    return dict(target=target, schedule=schedule, **kwargs)


def groups_of(model, kind=torch.optim.SGD, **kwargs):
    parts = [
        dict(params=model.first.parameters(), name='backbone', lr=0.1),
        dict(params=model.last.parameters(), lr=0.4),
    ]
    return kind(parts, lr=0.1, **kwargs)


def start_with(*entries, kind=torch.optim.SGD, **kwargs):
    model = Net()
    optimizer = groups_of(model, kind, **kwargs)
    runner = start(ScheduledValuesHook(entries), model=model, optimizer=optimizer)
    return runner, optimizer.param_groups


def test_rates_are_multiplied_before_the_iteration():
    runner, groups = start_with(entry('lr'))
    seen = []
    for _ in range(3):
        iterate(runner)
        seen.append([group['lr'] for group in groups])
    assert seen == [pytest.approx([0.1 * f, 0.4 * f]) for f in (1.0, 0.95, 0.9)]


def test_groups_are_chosen_by_name_or_number():
    runner, groups = start_with(
        entry('lr', dict(type='constant', value=0.0), groups=['backbone']),
        entry('lr', dict(type='constant', value=0.5), groups=1, absolute=True),
    )
    before = copy.deepcopy(runner.model.state_dict())
    iterate(runner)
    assert [group['lr'] for group in groups] == [0, 0.5]
    after = runner.model.state_dict()
    assert torch.equal(before['first.weight'], after['first.weight'])
    assert not torch.equal(before['last.weight'], after['last.weight'])


def test_weight_decay_and_momentum_of_sgd_and_adam():
    values = [entry('weight_decay'), entry('momentum')]
    runner, groups = start_with(*values, weight_decay=0.2, momentum=0.8)
    iterate(runner, 11)
    assert groups[0]['weight_decay'] == pytest.approx(0.1)
    assert groups[0]['momentum'] == pytest.approx(0.4)
    runner, groups = start_with(*values, kind=torch.optim.AdamW, betas=(0.8, 0.9))
    iterate(runner, 11)
    assert groups[0]['betas'] == (pytest.approx(0.4), 0.9)


def test_numbers_of_the_model_and_of_hooks_are_set():
    freeze = FreezeHook('first.*', begin=100)
    values = [entry('temperature'), entry('scale'), entry('FreezeHook.begin')]
    runner = start(ScheduledValuesHook(values), freeze)
    scale = runner.model.scale
    found = iterate(runner, 11)
    assert runner.model.temperature == pytest.approx(0.5)
    assert runner.model.scale is scale
    assert float(scale) == pytest.approx(0.5)
    assert freeze.begin == pytest.approx(0.5)
    assert found['scheduled/temperature'] == pytest.approx(0.5)


def test_a_number_of_a_submodule_is_set():
    model = Net()
    runner = start(ScheduledValuesHook([entry('drop.p')]), model=model)
    iterate(runner, 11)
    assert model.drop.p == pytest.approx(0.5)


def test_a_resumed_optimiser_keeps_its_initial_values():
    runner, groups = start_with(entry('lr'))
    iterate(runner, 8)
    state = runner.optim_wrapper.state_dict()
    model = Net()
    hook = ScheduledValuesHook([entry('lr')])
    resumed = fake_runner([hook], model=model, optimizer=groups_of(model))
    resumed.iter = 8
    resumed.optim_wrapper.load_state_dict(state)
    hook.before_train(resumed)
    iterate(runner)
    iterate(resumed)
    found = [group['lr'] for group in resumed.optim_wrapper.optimizer.param_groups]
    assert found == [group['lr'] for group in groups] == pytest.approx([0.06, 0.24])


@pytest.mark.parametrize(
    ('entries', 'error', 'text'),
    [
        ([entry('temprature')], ValueError, "'temprature': neither .*mean 'temperatur"),
        ([entry('EMAHook.x')], ValueError, r"set 'EMAHook\.x'.*Known names:.*lr, mo"),
        ([entry('first.weight')], ValueError, 'neither the model nor a hook has such'),
        ([entry('training')], ValueError, "cannot set 'training'"),
        ([entry('lr'), entry('lr', groups=[1])], ValueError, "sets 'lr' twice"),
        ([entry('scale'), entry('scale')], ValueError, "sets 'scale' twice"),
        (
            [entry('lr', groups=['backbon'])],
            ValueError,
            "no param group 'backbon'. Did you mean 'backbone'",
        ),
        ([entry('scale', groups=[0])], ValueError, r"takes no \['groups'\]"),
    ],
)
def test_targets_that_do_not_exist_are_named(entries, error, text):
    with pytest.raises(error, match=text):
        start_with(*entries)


def test_fields_that_the_optimiser_lacks_are_named():
    text = r"param group 0 .* has no 'momentum'; .* it has \['lr', 'weight_decay'\]"
    with pytest.raises(ValueError, match=text):
        start_with(entry('momentum'), kind=torch.optim.Adagrad)


def test_two_owners_of_a_rate_are_refused():
    hook = ScheduledValuesHook([entry('lr')])
    runner = fake_runner([hook])
    runner.param_schedulers = [object()]
    with pytest.raises(ValueError, match="sets 'lr', and the config has a param_sch"):
        hook.before_train(runner)


def test_bad_entries_are_named():
    with pytest.raises(KeyError, match=r"has 'shedule'. Did you mean 'schedule'"):
        ScheduledValuesHook([dict(target='lr', shedule=LINE)])
    with pytest.raises(KeyError, match=r"lacks \['schedule'\]"):
        ScheduledValuesHook([dict(target='lr')])
    with pytest.raises(KeyError, match="no schedule of type 'lin'"):
        start_with(entry('lr', dict(type='lin')))
