"""The operator's peak memory in fresh processes."""

import sys

import pytest

from densecorr.apis.benchmarks.memory import SHAPES, measure_in_fresh_process

linux = pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc/self/status')
SLACK = 1.1


@linux
def test_a_small_map_stays_within_its_contract():
    found = measure_in_fresh_process((30, 53, 384, 8, 12, 5, 2, '40MB'))
    assert found['used'] <= SLACK * found['bound']


@linux
@pytest.mark.slow
@pytest.mark.parametrize('shape', SHAPES, ids=lambda s: f'{s[0]}x{s[1]}x{s[2]}')
def test_every_shape_stays_within_its_contract(shape):
    found = measure_in_fresh_process(shape)
    assert found['used'] <= SLACK * found['bound']


@linux
@pytest.mark.slow
def test_sixty_objects_cost_at_most_half_as_much_again():
    one, sixty = (
        measure_in_fresh_process((60, 107, 256, 21, 12, 10, objects, '200MB'))['used']
        for objects in (2, 61)
    )
    assert sixty <= 1.5 * one


@linux
@pytest.mark.slow
def test_the_peak_does_not_grow_with_the_grid():
    bound = '80MB'
    for grid in ((60, 107), (120, 214)):
        found = measure_in_fresh_process((*grid, 256, 6, 12, 10, 2, bound))
        assert found['used'] <= SLACK * found['bound']
