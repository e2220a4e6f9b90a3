import pytest

from densecorr.ops.plan import Problem, blocks_of, parse_bytes, plan_blocks, reach_of
from densecorr.ops.window import Window

CIRCLE = Window('circle', 12, inclusive=False)


def problem(grid, channels=256, windowed=20, window=CIRCLE, unrestricted=1):
    return Problem(grid, grid, channels, windowed, unrestricted, window, 10)


def test_large_grids_are_windowed_and_small_ones_dense():
    assert not plan_blocks(problem((60, 107)), 10**9).dense
    small = problem((14, 14), 384, 4, Window('square', 6), 0)
    plan = plan_blocks(small, 10**9)
    assert plan.dense
    assert str(plan).startswith('dense')


@pytest.mark.parametrize('grid', [(30, 53), (60, 107), (120, 214), (240, 428)])
def test_estimates_stay_within_the_bound_at_every_size(grid):
    bound = 64 * 10**6
    assert plan_blocks(problem(grid), bound).num_bytes <= bound


def test_too_small_a_bound_names_the_least_that_does():
    with pytest.raises(ValueError, match=r'too small for a 60x107 grid.*give at least'):
        plan_blocks(problem((60, 107)), 1000)
    with pytest.raises(ValueError) as caught:
        plan_blocks(problem((60, 107)), 1000)
    least = int(str(caught.value).split('at least ')[1].split()[0])
    assert plan_blocks(problem((60, 107)), least).num_bytes <= least


def test_forced_methods():
    assert plan_blocks(problem((60, 107)), 10**9, 'dense').dense
    assert not plan_blocks(problem((14, 14)), 10**9, 'windowed').dense
    only_global = problem((14, 14), windowed=0)  # CRW's first step
    assert plan_blocks(only_global, 10**9, 'windowed').dense
    with pytest.raises(ValueError, match="method 'windowed' needs a window"):
        plan_blocks(problem((60, 107), window=Window()), 10**9, 'windowed')
    with pytest.raises(ValueError, match=r"'quick'.*'windowed' or 'fused'"):
        plan_blocks(problem((60, 107)), 10**9, 'quick')


def test_blocks_cover_a_length_once():
    assert list(blocks_of(7, 3)) == [(0, 3), (3, 6), (6, 7)]
    assert reach_of(3, 6, 2, 7) == (1, 7)


@pytest.mark.parametrize(
    ('text', 'size'), [('512MB', 512 * 10**6), ('2 gb', 2 * 10**9), (800, 800)]
)
def test_sizes(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize('text', ['lots', '-1MB', '0', 'MB', 'infMB'])
def test_sizes_that_are_none(text):
    with pytest.raises(ValueError, match="is not a size; write '512MB'"):
        parse_bytes(text)
