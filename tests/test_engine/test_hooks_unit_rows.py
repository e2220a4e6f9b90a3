import pytest
import torch
import torch.nn.functional as F

from densecorr.engine.hooks import EMATeacherHook, UnitRowsHook
from tests.test_engine.hook_toys import Net, iterate, start


def test_rows_have_length_one_after_every_iteration():
    runner = start(UnitRowsHook(['first.weight']))
    rows = runner.model.first.weight
    before = runner.model.last.weight.clone()
    for _ in range(2):
        iterate(runner)
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(4))
    assert not torch.allclose(runner.model.last.weight, before)
    assert rows.requires_grad


def test_a_teacher_follows_the_rows_and_then_gets_its_own():
    student, teacher = UnitRowsHook('first.weight'), UnitRowsHook('teacher.weight')
    follow = EMATeacherHook('first', 'teacher', 0.5)
    assert (student.priority, follow.priority) == ('VERY_HIGH', 'HIGH')
    runner = start(student, follow, teacher)
    old = runner.model.teacher.weight.clone()
    iterate(runner)
    mean = 0.5 * old + 0.5 * runner.model.first.weight
    torch.testing.assert_close(runner.model.teacher.weight, F.normalize(mean, dim=1))


def test_what_has_no_rows_is_named():
    text = r"UnitRowsHook has 'first.bias', which is no matrix .*'first.weight'"
    with pytest.raises(ValueError, match=text):
        start(UnitRowsHook(['first.bias']), model=Net())
