import pytest
import torch

from densecorr.ops.window import Window, grid_positions


def test_hand_computed_neighbours_of_the_centre_of_a_5x5_grid():
    def around(window):
        return window.allowed(5, 5)[12].view(5, 5).int().tolist()

    plus = [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert around(Window('circle', 1, inclusive=True)) == plus
    assert around(Window('circle', 1.4, inclusive=False)) == plus
    assert sum(map(sum, around(Window('circle', 2, inclusive=False)))) == 9
    assert sum(map(sum, around(Window('circle', 2, inclusive=True)))) == 13
    assert sum(map(sum, around(Window('square', 1, inclusive=True)))) == 9
    assert sum(map(sum, around(Window('square', 1, inclusive=False)))) == 1
    assert sum(map(sum, around(Window()))) == 25


@pytest.mark.parametrize('shape', ['square', 'circle', 'none'])
@pytest.mark.parametrize('inclusive', [True, False])
def test_relation_is_symmetric_and_reach_is_its_largest_offset(shape, inclusive):
    window = Window(shape, 2.5, inclusive)
    allowed = window.allowed(7, 9)
    assert torch.equal(allowed, allowed.t())
    rows, cols = grid_positions(7, 9)
    offsets = (rows[:, None] - rows).abs().maximum((cols[:, None] - cols).abs())
    largest = int(offsets[allowed].max())
    assert largest == (window.reach if shape != 'none' else 8)


@pytest.mark.parametrize(
    ('arguments', 'text'),
    [
        (('disk', 3), "shape is 'disk'.*'square', 'circle', 'none'"),
        (('square', 0, False), 'radius 0 .*allows no position.*larger radius'),
        (('circle', -1, True), 'radius -1 '),
    ],
)
def test_impossible_windows_are_refused(arguments, text):
    with pytest.raises(ValueError, match=text):
        Window(*arguments)
