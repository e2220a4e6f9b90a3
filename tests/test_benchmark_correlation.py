import pytest

from densecorr.apis.benchmarks import correlation

SIZES = ['--batch', '1', '--side', '16', '--radii', '3', '2', '--pairs', '1']


def test_both_forms_are_equal():
    case = correlation.make_case(2, 16, (6, 4), (3, 2))
    assert max(correlation.differences(case)) < 1e-5
    assert len(correlation.step(case, 'dense')) == 5  # the loss and four gradients


@pytest.mark.parametrize(('target', 'code'), [(0, 0), (1e9, 1)])
def test_report(target, code, monkeypatch, capsys):
    def here(module, request):
        return 1 + correlation.peak(request['kind'], request['sizes'])

    monkeypatch.setattr(correlation, 'in_fresh_process', here)
    monkeypatch.setattr(correlation, 'TARGET_RATIO', target)
    assert correlation.main(SIZES) == code
    printed = capsys.readouterr().out
    assert '16x16 and half of it, batch 1, ResNet-18, 1 thread(s)' in printed
    assert f'target {target}: {"MISSED" if code else "reached"}' in printed
    assert 'kept' in printed
