import copy
import itertools

import pytest
import torch
from torch import nn

from densecorr.engine.hooks import EMATeacherHook, ScheduledValuesHook
from tests.test_engine.hook_toys import Net, fake_runner, iterate, start


def hook(**kwargs):
    return EMATeacherHook(student='first', teacher='teacher', **kwargs)


def test_the_teacher_begins_as_the_student_and_follows_it():
    runner = start(hook(ema_decay=0.75))
    model = runner.model
    assert torch.equal(model.teacher.weight, model.first.weight)
    old = model.teacher.weight.clone()
    iterate(runner)
    expected = 0.75 * old + 0.25 * model.first.weight.detach()
    torch.testing.assert_close(model.teacher.weight, expected)
    assert not torch.equal(model.teacher.weight, old)


def test_a_teacher_may_keep_its_own_initial_weights():
    own = Net().teacher.weight
    runner = start(hook(copy_at_start=False))
    assert torch.equal(runner.model.teacher.weight, own)


def test_a_resumed_teacher_is_not_copied_again():
    teacher = hook()
    runner = fake_runner([teacher])
    runner.iter = 3
    own = runner.model.teacher.weight.clone()
    teacher.before_train(runner)
    assert torch.equal(runner.model.teacher.weight, own)


def test_updates_come_at_their_interval():
    runner = start(hook(interval=3, ema_decay=0.5))
    weights = []
    for _ in range(6):
        iterate(runner)
        weights.append(runner.model.teacher.weight.clone())
    changed = [not torch.equal(a, b) for a, b in itertools.pairwise(weights)]
    assert changed == [False, True, False, False, True]


def test_buffers_follow_the_option():
    model = Net()
    model.student = nn.BatchNorm1d(4)
    model.taught = copy.deepcopy(model.student).requires_grad_(False)
    for buffers, expected in dict(copy=3.0, keep=1.0, average=2.0).items():
        teacher = EMATeacherHook('student', 'taught', 0.5, buffers)
        model.student.running_var.fill_(1)
        runner = start(teacher, model=model)
        model.student.running_var.fill_(3)
        iterate(runner)
        assert model.taught.running_var.tolist() == [expected] * 4


def test_the_decay_can_follow_a_schedule():
    schedule = dict(type='cosine', start=0.0, end=1.0)
    values = [dict(target='EMATeacherHook.ema_decay', schedule=schedule)]
    teacher = hook()
    runner = start(ScheduledValuesHook(values), teacher)
    iterate(runner)
    assert teacher.ema_decay == 0
    assert torch.equal(runner.model.teacher.weight, runner.model.first.weight)
    found = iterate(runner, 10)
    assert teacher.ema_decay == pytest.approx(0.5)
    assert found['scheduled/EMATeacherHook.ema_decay'] == teacher.ema_decay


def test_several_students_have_a_teacher_each():
    model = Net()
    model.taught = copy.deepcopy(model.last).requires_grad_(False)
    runner = start(
        EMATeacherHook(['first', 'last'], ['teacher', 'taught'], 0.0), model=model
    )
    iterate(runner)
    assert torch.equal(model.teacher.weight, model.first.weight)
    assert torch.equal(model.taught.weight, model.last.weight)
    with pytest.raises(ValueError, match='give one teacher for each'):
        EMATeacherHook(['first', 'last'], ['teacher'])


def test_what_cannot_be_a_teacher_is_named():
    with pytest.raises(ValueError, match='interval of EMATeacherHook is 0'):
        hook(interval=0)
    with pytest.raises(ValueError, match=r"teacher of .* is 'techer'.*mean 'teacher'"):
        start(EMATeacherHook('first', 'techer'))
    with pytest.raises(ValueError, match=r'only the old has running_mean'):
        start(EMATeacherHook('teacher', 'norm'))
    text = r"1 parameters of the teacher 'teacher' need gradients, the first is bias"
    model = Net()
    model.teacher.bias.requires_grad_(True)
    with pytest.raises(ValueError, match=text):
        start(hook(), model=model)
