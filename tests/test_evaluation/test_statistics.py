import numpy as np
import pytest

from densecorr.evaluation.functional.statistics import series_statistics


def test_by_hand():
    # 9 frames: quarters 0..2, 2..4, 4..6, 6..8 share their border frames
    series = [1, 1, 1, 0.5, 0.6, 0, 0.3, 0, 0]
    mean, recall, decay = series_statistics(series)
    assert mean == pytest.approx(4.4 / 9)
    assert recall == 4 / 9  # 0.5 itself is a miss
    assert decay == pytest.approx(1 - 0.1)


def test_single_frames_and_constants():
    assert series_statistics([0.7]) == (0.7, 1, 0)
    assert series_statistics(np.full(50, 0.25)) == (0.25, 0, 0)


def test_nan_is_a_miss_and_otherwise_ignored():
    mean, recall, decay = series_statistics([np.nan, 1, 1, 1, 1])
    assert (mean, recall, decay) == (1, 0.8, 0)
    mean, recall, decay = series_statistics([np.nan] * 3)
    assert np.isnan(mean) and recall == 0 and np.isnan(decay)


def test_long_series_are_not_wrapped_at_256():
    series = np.linspace(1, 0, 1000)
    assert series_statistics(series).decay == pytest.approx(0.75, abs=0.01)


def test_reversal_negates_decay():
    series = np.random.default_rng(0).random(41)
    forward, backward = series_statistics(series), series_statistics(series[::-1])
    assert forward.decay == pytest.approx(-backward.decay)
    assert forward.mean == pytest.approx(backward.mean)


@pytest.mark.parametrize('wrong', [[], [[1.0, 2.0]]])
def test_a_series_is_a_vector_with_a_score(wrong):
    with pytest.raises(ValueError, match=r'\(t,\) array with at least one score'):
        series_statistics(wrong)
