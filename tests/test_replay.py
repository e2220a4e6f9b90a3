"""The replay of golden cases can fail, and says by how much devices differ."""

import numpy as np
import pytest
from parity import replay


@pytest.fixture
def case(tmp_path):
    path = tmp_path / 'toy' / 'one.npz'
    path.parent.mkdir()
    labels = np.zeros((40, 50), np.int64)
    np.savez(path, given=np.ones(3), real=np.ones(4), labels=labels)
    return replay.Case(path)


def test_an_array_that_is_not_compared_is_left_over(case):
    case.close('real', np.ones(4), atol=0)
    assert case.leftovers(['given']) == ['labels']


def test_beyond_the_tolerance_fails(case):
    with pytest.raises(AssertionError, match=r'one\.npz:real'):
        case.close('real', np.ones(4) + 2e-5, atol=1e-5)
    with pytest.raises(AssertionError, match='labels'):
        case.exact('labels', np.eye(40, 50, dtype=np.int64))


def test_another_device_has_ten_times_the_tolerance_and_counted_flips(
    case, monkeypatch
):
    monkeypatch.setattr(replay, 'SLACK', 10.0)
    monkeypatch.setattr(replay, 'FLIPS_ALLOWED', 1e-3)
    monkeypatch.setattr(replay, 'flips', {})
    case.close('real', np.ones(4) + 9e-5, atol=1e-5)
    with pytest.raises(AssertionError):
        case.close('real', np.ones(4) + 2e-4, atol=1e-5)
    labels = np.zeros((40, 50), np.int64)
    labels[0, :2] = 1
    case.exact('labels', labels)
    assert replay.flips == {'toy/one.npz:labels': (2, 2000)}
    labels[0, :3] = 1
    with pytest.raises(AssertionError, match='labels'):
        case.exact('labels', labels)
