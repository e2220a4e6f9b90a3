import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densecorr.ops.affine import (
    aligned_places,
    inverse_affine,
    similarity_matrix,
    take_places,
)


def matrices(*rows):
    return torch.tensor(rows, dtype=torch.float32)


IDENTITY = [[1, 0, 0], [0, 1, 0]]
MIRRORED = [[-1, 0, 0], [0, 1, 0]]
HALF = [[0.5, 0, 0], [0, 0.5, 0]]
FAR = [[1, 0, 2], [0, 1, 0]]


def test_places_by_hand():
    places = aligned_places(matrices(IDENTITY, MIRRORED, HALF, FAR), (2, 4))
    assert places.tolist() == [
        [0, 1, 2, 3, 4, 5, 6, 7],
        [3, 2, 1, 0, 7, 6, 5, 4],
        # x of the centres is +-0.75, +-0.25; half of it lies in cells 1, 1, 2, 2
        [1, 1, 2, 2, 5, 5, 6, 6],
        [-1] * 8,
    ]


def test_rows_at_places_are_a_lookup_in_the_map():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(5, 3, 7, 9, generator=generator)
    theta = torch.rand(5, 2, 3, generator=generator) * 2 - 1
    grid = F.affine_grid(theta, list(maps.shape), align_corners=False)
    expected = F.grid_sample(maps, grid, mode='nearest', align_corners=False)
    rows = maps.flatten(2).transpose(1, 2)
    found = take_places(rows, aligned_places(theta, (7, 9)))
    assert torch.equal(found.transpose(1, 2).view_as(maps), expected)
    assert (found == 0).any()  # some lookups fall outside


def test_a_part_of_an_image_lies_where_it_was_cut_out():
    # rows 2 to 5 and columns 1 to 4 of 8 x 8: scale 1/2, centre (y, x) = (4, 3)
    matrix = inverse_affine(similarity_matrix((8, 8), (0, -1), zoom=0.5))
    places = aligned_places(torch.from_numpy(matrix), (8, 8))
    rows, columns = places // 8, places % 8
    assert set(rows.tolist()) == {2, 3, 4, 5}
    assert set(columns.tolist()) == {1, 2, 3, 4}
    turned = similarity_matrix((6, 8), (1, -2), zoom=0.7, angle=0.3)
    back = inverse_affine(turned)
    whole = [np.vstack([m, [0, 0, 1]]) for m in (turned, back)]
    np.testing.assert_allclose(whole[0] @ whole[1], np.eye(3), atol=1e-12)


def test_gradients_add_up_where_a_place_is_taken_twice():
    rows = torch.arange(6.0, dtype=torch.float64).view(1, 3, 2).requires_grad_()
    places = torch.tensor([[2, -1, 2, 0]])
    assert torch.autograd.gradcheck(lambda r: take_places(r, places), rows)
    take_places(rows, places).sum().backward()
    assert rows.grad.tolist() == [[[1, 1], [0, 0], [2, 2]]]


def test_errors():
    with pytest.raises(ValueError, match=r'mirrored image \(flip -1\) is not rotated'):
        similarity_matrix((8, 8), (0, 0), flip=-1, angle=0.1)
    with pytest.raises(ValueError, match='zoom 0 and'):
        similarity_matrix((8, 8), (0, 0), zoom=0)
    with pytest.raises(ValueError, match='has no inverse'):
        inverse_affine(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r'theta is \(3, 3\)'):
        aligned_places(torch.zeros(3, 3), (2, 2))
    with pytest.raises(ValueError, match='same leading axes'):
        take_places(torch.zeros(2, 4, 3), torch.zeros(3, 4, dtype=torch.long))
