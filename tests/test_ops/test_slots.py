import pytest
import torch
import torch.nn.functional as F

from densecorr.ops.slots import (
    candidate_masks,
    chunks_of,
    enlarge_areas,
    instance_areas,
    owners_of,
    previous_frame_products,
    semantic_areas,
    slot_similarity,
    valid_instances,
)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_frame_before_by_hand():
    maps = randn(1, 3, 5, 2, 2)
    found = previous_frame_products(maps, (2, 2))
    flat = maps.flatten(3)[0]  # (t, c, n)
    expected = torch.stack([flat[t - 1].T @ flat[t] for t in range(3)])
    torch.testing.assert_close(found[0], expected)


@pytest.mark.parametrize('size', [(2, 3), (4, 4), (7, 5)])
def test_frame_before_has_one_number_of_channels_at_any_size(size):
    found = previous_frame_products(randn(2, 3, 8, *size), (4, 4))
    assert found.shape == (2, 3, 16, size[0] * size[1])


def test_frame_before_takes_each_clip_by_itself():
    maps = randn(2, 3, 4, 3, 3)
    both = previous_frame_products(maps, (2, 2))
    torch.testing.assert_close(both[1:], previous_frame_products(maps[1:], (2, 2)))


def test_shares_sum_to_one():
    semantic, instance = randn(2, 5, 9), randn(2, 5, 3, 9)
    torch.testing.assert_close(semantic_areas(semantic).sum(1), torch.ones(2, 9))
    shares = instance_areas(semantic, instance)
    torch.testing.assert_close(shares.sum(2), semantic_areas(semantic))


def test_similarity_of_equal_and_opposite_slots():
    semantic = randn(4, 6)
    instance = torch.stack([2 * semantic, -semantic], 1)
    found = slot_similarity(semantic, instance)
    torch.testing.assert_close(found, torch.tensor([[1.0, -1.0]] * 4))


def test_valid_instances_by_hand():
    # slot 0 holds three of four places, slot 1 one; two instances of each
    dots = torch.tensor([[9.0, 9.0, 9.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
    slots = F.one_hot(torch.tensor([0, 1]), 4).float()
    instances = torch.stack([slots, slots.roll(2, -1)], 1)
    found = valid_instances(dots, slots, instances, area_threshold=0.3)
    assert found.tolist() == [[True, False], [False, False]]
    found = valid_instances(dots, slots, instances, area_threshold=0.2)
    assert found.tolist() == [[True, False], [True, False]]


def test_masks_of_candidates_by_hand():
    areas = torch.tensor([[0.0, 0.1, 0.3, 0.4], [0.2, 0.2, 0.2, 0.2]])
    found = candidate_masks(areas, (2, 2), (4, 4), threshold=0.3)
    assert found[0].tolist() == [[False] * 4] * 2 + [[True] * 4] * 2
    assert not found[1].any()  # the same everywhere
    assert candidate_masks(areas[:0], (2, 2), (4, 4)).shape == (0, 4, 4)


def test_owners_of_pixels():
    areas = torch.tensor([[[0.9, 0.4, 0.2]], [[0.6, 0.5, 0.1]]])
    masks = torch.tensor([[[False, True, True]], [[True, True, False]]])
    assert owners_of(areas, masks).tolist() == [[1, 1, 0]]
    assert owners_of(areas, masks & (areas > 0.45)).tolist() == [[1, 1, -1]]
    assert owners_of(areas[:0], masks[:0]).tolist() == [[-1, -1, -1]]


def test_areas_are_of_the_grid():
    with pytest.raises(ValueError, match='of 4 places; a grid of 2x3 has 6'):
        enlarge_areas(torch.zeros(1, 4), (2, 3), (4, 6))


def test_chunks():
    assert chunks_of(5, 4) == [([0, 1, 2, 3], 4), ([4, 2, 3, 4], 1)]
    assert chunks_of(4, 4) == [([0, 1, 2, 3], 4)]
    assert chunks_of(2, 4) == [([0, 1, 0, 1], 2)]
    assert chunks_of(1, 4) == [([0, 0, 0, 0], 1)]
    for total in range(1, 12):
        own = [f for frames, count in chunks_of(total, 3) for f in frames[:count]]
        assert own == list(range(total))
    with pytest.raises(ValueError, match='0 frames cannot be cut into chunks of 4'):
        chunks_of(0, 4)
