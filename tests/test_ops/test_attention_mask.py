"""Attention masks: mass, blur and components against other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from densecorr.ops.attention_mask import (
    attention_mask,
    component_labels,
    drop_small_components,
    gaussian_blur,
)


def _random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_components_are_those_of_scipy() -> None:
    mask = _random(4, 19, 23) > 0.7
    labels = component_labels(mask)
    kept = drop_small_components(mask, 4)
    for image in range(4):
        expected, number = ndimage.label(mask[image].numpy(), np.ones((3, 3)))
        pairs = set(zip(expected.ravel(), labels[image].numpy().ravel(), strict=True))
        assert len(pairs) == number + 1
        sizes = np.bincount(expected.ravel())
        sizes[0] = 0
        np.testing.assert_array_equal(kept[image].numpy(), sizes[expected] >= 4)


def test_a_winding_component_is_one() -> None:
    mask = torch.zeros(1, 7, 7, dtype=torch.bool)
    mask[0, ::2] = True
    mask[0, 1, 6] = mask[0, 3, 0] = mask[0, 5, 6] = True
    assert component_labels(mask)[mask].unique().numel() == 1
    assert drop_small_components(mask, int(mask.sum())).equal(mask)
    assert not drop_small_components(mask, int(mask.sum()) + 1).any()


def test_blur_is_that_of_scipy() -> None:
    maps = _random(2, 9, 11)
    expected = ndimage.gaussian_filter(
        maps.double().numpy(), (0, 0.6, 0.6), mode='mirror', radius=3
    )
    np.testing.assert_allclose(gaussian_blur(maps, 7, 0.6), expected, atol=1e-6)


def test_kept_cells_hold_the_mass_and_no_fewer_do() -> None:
    attention = _random(3, 6, 64)
    mask = attention_mask(attention, (8, 8), mass=0.6, sigma=0, min_cells=1)
    maps = attention.mean(1).view(3, 8, 8)
    for values, kept in zip(maps, mask, strict=True):
        share = values[kept].sum() / values.sum()
        assert share >= 0.6 - 1e-6
        assert share - values[kept].min() / values.sum() < 0.6
        assert values[kept].min() >= values[~kept].max()


def test_errors() -> None:
    with pytest.raises(ValueError, match=r'attention is \(1, 6, 65\); for a grid of'):
        attention_mask(torch.ones(1, 6, 65), (8, 8))
    with pytest.raises(ValueError, match='mass is 65; it should be above 0'):
        attention_mask(torch.ones(1, 6, 64), (8, 8), mass=65)
    with pytest.raises(ValueError, match=r'kernel is 7.*smaller than both.*3x9 map'):
        gaussian_blur(torch.ones(1, 3, 9), 7, 1.0)
