import itertools

import numpy as np
import pytest

from densecorr.evaluation.functional.bootstrap import (
    bootstrap_interval,
    holm,
    paired_bootstrap,
)


def draw_scores(rng, videos):
    """Scores like those of DAVIS: near 1, some far below, alike within a video."""
    sizes = 1 + rng.binomial(4, 0.3, videos)
    groups = np.repeat(np.arange(videos), sizes)
    ability = 1 + 0.9 * rng.normal(size=videos)[groups]
    ability += 0.7 * rng.normal(size=len(groups))
    return 1 - (1 + np.exp(ability)) ** -2.5, groups


def test_intervals_hold_the_true_mean_in_95_of_100_sets():
    rng = np.random.default_rng(0)
    truth = draw_scores(rng, 300_000)[0].mean()
    held = []
    for seed in range(1000):
        scores, groups = draw_scores(rng, 30)
        found = bootstrap_interval(scores, groups, draws=999, seed=seed)
        held.append(found.low <= truth <= found.high)
    assert 0.93 <= np.mean(held) <= 0.97


def test_equal_results_differ_significantly_in_5_of_100_sets():
    rng = np.random.default_rng(1)
    found = []
    for seed in range(1000):
        first, groups = draw_scores(rng, 15)
        second, _ = draw_scores(rng, 15)
        second = np.resize(second, len(first))
        swapped = (rng.random(15) < 0.5)[groups]
        pair = np.where(swapped, first, second), np.where(swapped, second, first)
        found.append(paired_bootstrap(*pair, groups, draws=199, seed=seed).p_value)
    assert 0.03 <= np.mean(np.array(found) <= 0.05) <= 0.07


def test_equals_a_loop_over_drawn_videos():
    """The same draws, each put together from whole videos and averaged anew."""
    scores, groups = draw_scores(np.random.default_rng(2), 7)
    videos = [scores[groups == v] for v in range(7)]

    def mean_and_error(chosen):
        mean = np.concatenate(chosen).mean()
        squares = [(v.sum() - mean * len(v)) ** 2 for v in chosen]
        count = sum(map(len, chosen))
        return mean, (7 / 6 * np.sum(squares)) ** 0.5 / count

    mean, error = mean_and_error(videos)
    times = np.random.default_rng(5).multinomial(7, [1 / 7] * 7, size=199)
    t_values = []
    for row in times:
        pairs = zip(videos, row, strict=True)
        drawn = list(itertools.chain(*([v] * k for v, k in pairs)))
        other, other_error = mean_and_error(drawn)
        t_values.append((other - mean) / other_error)
    t_values.sort()
    found = bootstrap_interval(scores, groups, draws=199, seed=5)
    assert found.mean == pytest.approx(scores.mean())
    assert found.low == pytest.approx(mean - t_values[-5] * error)
    assert found.high == pytest.approx(min(mean - t_values[4] * error, 1))
    assert found[3:] == (0.95, 7, len(scores), 'bootstrap-t')


def test_few_videos_take_students_t():
    found = bootstrap_interval([0.5, 0.6, 0.7], ['a', 'b', 'c'])
    half = 4.302653 * 0.1 / 3**0.5  # 97.5 % of Student's t with 2 degrees of freedom
    assert found.method == 'student-t'
    assert found[:3] == pytest.approx((0.6, 0.6 - half, 0.6 + half))


def test_test_counts_all_exchanges_of_few_videos():
    first, second = [0.5, 0.6, 0.7, 0.2], [0.4, 0.5, 0.65, 0.3]
    groups = ['a', 'b', 'c', 'c']  # the sums of differences are 0.1, 0.1, -0.05
    found = paired_bootstrap(first, second, groups)
    assert found.difference == pytest.approx(0.0375)
    # as far from 0 as 0.15: + + -, - - + (0.15) and + + +, - - - (0.25) of 8
    assert found.p_value == pytest.approx(1 / 2)


def test_exchanges_of_many_videos_are_drawn():
    scores, groups = draw_scores(np.random.default_rng(3), 40)
    found = paired_bootstrap(scores, 0.98 * scores, groups, draws=499)
    assert found.p_value == 1 / 500
    assert 0 < found.low < found.difference < found.high
    back = paired_bootstrap(0.98 * scores, scores, groups, draws=499)
    ends = (-back.difference, -back.high, -back.low, back.p_value)
    assert ends == pytest.approx(found[:4])


def test_holm_raises_the_smallest_most():
    assert holm([0.04, 0.01, 0.5, 0.03]) == pytest.approx([0.09, 0.04, 0.5, 0.09])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_order_and_names_of_videos_do_not_matter():
    scores, groups = draw_scores(np.random.default_rng(4), 9)
    order = np.random.default_rng(5).permutation(len(scores))
    names = np.array([f'video {group}' for group in groups])
    found = bootstrap_interval(scores, groups, draws=99)
    other = bootstrap_interval(scores[order], names[order], draws=99)
    assert other[:3] == pytest.approx(found[:3])


def test_equal_scores_have_no_width():
    groups = [*'aabbccddeeff']
    found = bootstrap_interval([0.7] * 12, groups)
    assert (found.low, found.high) == pytest.approx((0.7, 0.7), abs=1e-15)
    same = paired_bootstrap([0.7] * 12, [0.7] * 12, groups)
    assert same[:4] == (0.0, 0.0, 0.0, 1.0)


def test_ends_stay_within_the_bounds():
    scores = [0.0, 1.0, 1.0, 1.0, 1.0]
    found = bootstrap_interval(scores, [*'abcde'])
    assert (found.low, found.high) == (0.0, 1.0)
    free = bootstrap_interval(scores, [*'abcde'], bounds=None)
    assert free.low < 0


@pytest.mark.parametrize(
    ('scores', 'groups', 'options', 'message'),
    [
        ([0.5, 0.6], ['a', 'a'], {}, r'are of 1 video; .* at least 2 are needed'),
        ([], [], {}, r'are of 0 videos; .* at least 2'),
        ([0.5, np.nan], ['a', 'b'], {}, r"1 of 2 scores .* number \[1\] of \['b'\]"),
        ([0.5], ['a', 'b'], {}, r'shape \(1,\), groups \(2,\); give one score'),
        ([50, 0.6], ['a', 'b'], {}, r'score 50 of a is not in .*divide percent by 100'),
        ([0.5, 0.6], ['a', 'b'], {'level': 95}, r'level is 95; .* between 0 and 1'),
        ([0.5, 0.6], ['a', 'b'], {'draws': 0}, r'draws is 0; give at least 1'),
    ],
)
def test_bad_input_is_named(scores, groups, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(scores, groups, **options)


def test_results_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r'shape \(2,\), groups \(3,\)'):
        paired_bootstrap([0.5, 0.6, 0.7], [0.5, 0.6], [*'abc'])
