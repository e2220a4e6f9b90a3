import math

import pytest
import torch
import torch.nn.functional as F

from densecorr.models.backbones import PointEmbedding, RawColors
from densecorr.models.backbones.point_embedding import object_codes
from densecorr.models.backbones.raw_colors import cell_means


def test_cosine_falls_with_the_squared_distance_on_the_sphere():
    images = torch.rand(2, 3, 1, 5, generator=torch.Generator().manual_seed(0))
    (feats,) = RawColors(stride=1)(images)
    assert feats.shape == (2, 4, 1, 5)
    cosine = F.cosine_similarity(feats[0, :, 0], feats[1, :, 0], dim=0)
    torch.testing.assert_close(feats[:, :3], images - 0.5)
    distance = (feats[0, :, 0] - feats[1, :, 0]).square().sum(0)
    torch.testing.assert_close(cosine, 1 - distance / 1.5)


def test_cells_are_means_and_border_cells_of_what_they_have():
    maps = torch.arange(15.0).view(1, 1, 3, 5)
    expected = [[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]
    torch.testing.assert_close(cell_means(maps, 2)[0, 0], torch.tensor(expected))
    assert cell_means(maps, 1) is maps


def test_grid_is_that_of_the_network_it_stands_for():
    images = torch.zeros(1, 3, 20, 33)
    assert RawColors(8)(images)[0].shape == (1, 4, 3, 5)
    with pytest.raises(ValueError, match=r'20x33, not multiples of stride 8.*rounding'):
        RawColors(8, any_size=False)(images)
    with pytest.raises(ValueError, match='stride of RawColors is 0'):
        RawColors(0)


def test_points_are_told_apart_by_place_and_object():
    embedding = PointEmbedding(stride=1)
    points = torch.zeros(1, 3, 1, 4)
    points[0, :, 0, 1] = torch.tensor([0, 256.0, 0])  # a pixel below
    points[0, :, 0, 2] = torch.tensor([0, 40 * 256.0, 0])  # far below
    points[0, :, 0, 3] = torch.tensor([3, 0.0, 0])  # the same place of object 3
    feats = embedding(points)[0][0, :, 0]  # (c, 4)
    assert len(feats) == embedding.channels[0]
    torch.testing.assert_close(feats.square().sum(0), torch.full((4,), 2.0))
    same, near, far, other = F.cosine_similarity(feats[:, :1], feats, dim=0).tolist()
    # 1/2 from the code, 1/4 from each axis: mean of cos(2 pi / 4), cos(2 pi / 8), ...
    row = sum(math.cos(2 * math.pi / (4 * 2**k)) for k in range(8)) / 8
    assert same == pytest.approx(1)
    assert near == pytest.approx(0.75 + row / 4)
    assert far < near
    assert other == pytest.approx(0.5)


def test_a_shift_of_the_image_shifts_the_features():
    points = torch.randint(0, 5000, (1, 3, 6, 12)).float()
    feats = PointEmbedding(2)(points)[0]
    moved = PointEmbedding(2)(points.roll(4, dims=3))[0]
    torch.testing.assert_close(moved, feats.roll(2, dims=3))
    with pytest.raises(ValueError, match='stride of PointEmbedding is 0'):
        PointEmbedding(0)


def test_codes_of_all_label_numbers_differ():
    codes = object_codes(torch.arange(256).view(1, 1, 256))[0, :, 0]  # (c, 256)
    torch.testing.assert_close(codes.norm(dim=0), torch.ones(256))
    torch.testing.assert_close(codes[:, :16].t() @ codes[:, :16], torch.eye(16))
    distances = torch.cdist(codes.t(), codes.t()) + torch.eye(256)
    assert distances.min() > 0.1
