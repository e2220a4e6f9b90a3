import math

import pytest

from densecorr.ops import schedule as schedules
from densecorr.ops.schedule import SCHEDULES, make_schedule


def values(config, iterations, iters_per_epoch=10, total_iters=100):
    made = make_schedule(config, iters_per_epoch, total_iters)
    return [made(i) for i in iterations]


@pytest.mark.parametrize(
    ('config', 'iterations', 'expected'),
    [
        (dict(type='constant', value=0.2), (0, 99), (0.2, 0.2)),
        (dict(type='linear', start=1, end=3), (0, 25, 100, 120), (1, 1.5, 3, 3)),
        (dict(type='linear', length=10, begin=20), (0, 20, 25, 30), (0, 0, 0.5, 1)),
        (dict(type='linear', begin=20, start=1, end=0), (60, 100), (0.5, 0)),
        (dict(type='cosine'), (0, 50, 100, 101), (1, 0.5, 0, 0)),
        (dict(type='cosine', start=0.996, end=1), (50,), (0.998,)),
        (dict(type='cosine', warmup=20), (0, 10, 20, 60, 100), (0, 0.5, 1, 0.5, 0)),
        (dict(type='cosine', warmup=20, warmup_start=0.5), (0, 10), (0.5, 0.75)),
        (dict(type='cosine', length=40, end=0.1), (20, 40, 99), (0.55, 0.1, 0.1)),
        (dict(type='polynomial', power=2), (0, 50, 100), (1, 0.25, 0)),
        (dict(type='polynomial', warmup=50), (0, 25, 50), (0, 0.5, 1)),
        (dict(type='exponential', rate=0.5, start=4), (0, 1, 3), (4, 2, 0.5)),
        (dict(type='multistep', milestones=[3, 5]), (2, 3, 5), (1, 0.1, 0.01)),
        (
            dict(type='piecewise', milestones=[4], values=[0, 7]),
            (0, 3, 4, 50),
            (0, 0, 7, 7),
        ),
        (
            dict(type='interpolated', positions=[10, 20, 30], values=[1, 3, 0]),
            (0, 10, 15, 20, 25, 30, 90),
            (1, 1, 2, 3, 1.5, 0, 0),
        ),
    ],
)
def test_values_by_hand(config, iterations, expected):
    assert values(config, iterations) == pytest.approx(expected, abs=1e-12)


def test_every_schedule_has_a_value_by_hand():
    marks = test_values_by_hand.pytestmark[0].args[1]
    assert {config['type'] for config, _, _ in marks} == set(SCHEDULES)


def test_epochs_are_counted_in_fractions_or_whole():
    config = dict(type='cosine', unit='epoch')  # ten epochs of ten iterations
    assert values(config, range(101)) == pytest.approx(
        values(dict(type='cosine'), range(101)), abs=1e-12
    )
    whole = values(dict(config, whole_epochs=True), range(100))
    assert whole == [whole[i // 10 * 10] for i in range(100)]
    assert len(set(whole)) == 10
    steps = dict(type='multistep', milestones=[2, 3], gamma=0.3, unit='epoch')
    assert values(steps, (19, 20, 29, 30)) == pytest.approx([1, 0.3, 0.3, 0.09])


def test_the_value_of_the_next_iteration_can_be_taken():
    config = dict(type='cosine')
    assert values(dict(config, ahead=1), range(5)) == values(config, range(1, 6))


def test_a_product_multiplies():
    warmup = dict(type='linear', start=0.1, length=2, unit='epoch')
    config = dict(type='product', schedules=[dict(type='cosine'), warmup])
    cosine = (1 + math.cos(math.pi / 10)) / 2
    assert values(config, (0, 10)) == pytest.approx([0.1, 0.55 * cosine])


def test_cosine_and_lines_never_leave_their_ends():
    for kind in ('cosine', 'polynomial', 'linear'):
        found = values(dict(type=kind, start=0.3, end=0.9), range(120))
        assert found == sorted(found)
        assert (found[0], found[-1]) == (0.3, 0.9)


@pytest.mark.parametrize(
    ('config', 'error', 'text'),
    [
        (
            dict(type='cosin'),
            KeyError,
            "schedule of type 'cosin'. Did you mean",
        ),
        (dict(value=1), KeyError, 'no schedule of type None'),
        (
            dict(type='cosine', warmup_epochs=3),
            TypeError,
            "'cosine' takes no argument 'warmup_epochs'. Did you mean .*whole_epochs",
        ),
        (dict(type='multistep'), TypeError, r"'multistep' needs \['milestones'\]"),
        (
            dict(type='multistep', milestones=[5, 3]),
            ValueError,
            r'milestones .* are \[5, 3\]; give them in ascending order',
        ),
        (dict(type='linear', unit='step'), ValueError, "unit .* is 'step'; choose"),
        (
            dict(type='cosine', warmup=200),
            ValueError,
            r'length 100\.0 and warmup 200; the length should be positive',
        ),
        (dict(type='linear', begin=100), ValueError, r'length 0\.0'),
        (
            dict(type='piecewise', milestones=[1], values=[1]),
            ValueError,
            '1 values for 1 milestones; give one value more',
        ),
        (
            dict(type='interpolated', positions=[], values=[]),
            ValueError,
            '0 values for 0 positions',
        ),
        (dict(type='product'), TypeError, r'takes schedules=\[...\], at least one'),
        (dict(type='product', schedules=[dict(type='x')]), KeyError, "type 'x'"),
    ],
)
def test_bad_configs_are_explained(config, error, text):
    with pytest.raises(error, match=text):
        make_schedule(config, 10, 100)


def test_functions_are_usable_alone():
    assert schedules.cosine(1, length=2) == pytest.approx(0.5)
    assert schedules.product(3, [lambda i: i, lambda i: 2.0]) == 6
