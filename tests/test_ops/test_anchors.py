import pytest
import torch

from densecorr.ops.anchors import anchor_places, anchor_steps, grid_offsets


def test_places_by_hand():
    offsets = torch.tensor([[0, 0], [1, 2]])  # (oy, ox)
    places = anchor_places(offsets, (4, 6), 2)
    # rows 0 and 2, columns 0 and 3; then moved by a row and two columns
    assert places.tolist() == [[0, 3, 12, 15], [8, 11, 20, 23]]


@pytest.mark.parametrize(('size', 'grid'), [((32, 32), 8), ((12, 20), 4), ((9, 9), 3)])
def test_drawn_grids_have_distinct_places_inside(size, grid):
    noise = torch.rand(64, 2, generator=torch.Generator().manual_seed(0))
    noise[0], noise[1] = 0, 1 - 2**-24  # the largest float32 below 1
    offsets = grid_offsets(noise, size, grid)
    steps = anchor_steps(size, grid)
    for i in (0, 1):
        assert set(offsets[:, i].tolist()) == set(range(steps[i]))
    places = anchor_places(offsets, size, grid)
    assert places.min() >= 0 and places.max() < size[0] * size[1]
    assert all(len(row.unique()) == grid**2 for row in places)


def test_errors():
    with pytest.raises(ValueError, match=r'map of 4x8 .* no regular grid of 8x8') as e:
        anchor_steps((4, 8), 8)
    assert 'a side of 4 takes [1, 2, 4]' in str(e.value)
    with pytest.raises(ValueError, match='multiple of grid'):
        anchor_steps((33, 33), 8)  # nine places at a distance of 4
    with pytest.raises(ValueError, match='not all in'):
        anchor_places(torch.tensor([[0, 4]]), (8, 8), 2)
    with pytest.raises(ValueError, match=r'offsets are \(3,\)'):
        anchor_places(torch.zeros(3, dtype=torch.long), (8, 8), 2)
