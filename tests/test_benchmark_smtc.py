import pytest

from densecorr.apis.benchmarks import smtc


@pytest.mark.parametrize('loss', smtc.TARGETS)
@pytest.mark.parametrize('sizes', [(1, 2, 2, 2, 4, 6), (2, 3, 4, 3, 9, 8)])
def test_literal_forms_give_the_same(loss, sizes):
    assert smtc.difference(smtc.make_case(*sizes), loss) <= smtc.TARGET_DIFFERENCE


def test_main_reports_both_losses(monkeypatch, capfd):
    lines = []
    monkeypatch.setattr(smtc, 'print_log', lines.append)
    monkeypatch.setattr(smtc, 'TARGETS', dict(transport=0.0, instance=1e9))
    sizes = ('--clips', '1', '--slots', '2', '--places', '4', '--channels', '4')
    assert smtc.main([*sizes, '--pairs', '1', '--clock', 'cpu']) == 1
    assert lines[0].startswith('1 clips, 4 frames, 2 slots, 4 instances, 4 places')
    assert 'target 0.0: reached' in lines[1]
    assert 'target 1000000000.0: MISSED' in lines[2]
