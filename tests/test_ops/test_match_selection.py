import math
import re

import pytest
import torch

from densecorr.ops.match_selection import (
    above_quantile,
    above_sorted_row,
    match_entropy,
    stretched,
    uniform_cross_entropy,
)


def draw(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_scores_by_hand():
    even = torch.zeros(1, 1, 1, 3, 3)
    assert match_entropy(even).item() == pytest.approx(math.log(9))
    assert uniform_cross_entropy(even).item() == pytest.approx(9 * math.log(9))
    peaked = even.clone()
    peaked[..., 1, 2] = 1000
    assert match_entropy(peaked).item() == pytest.approx(0)
    saturated = -8 * math.log(1e-12)  # of the eight positions without probability
    assert uniform_cross_entropy(peaked).item() == pytest.approx(saturated, rel=1e-4)


def test_scores_order_matches_the_other_way_round():
    volume = draw(1, 1, 1, 3, 3) * torch.linspace(0.1, 3, 20).view(1, 20, 1, 1, 1)
    certain, uncertain = uniform_cross_entropy(volume), match_entropy(volume)
    assert torch.equal(certain.argsort(1), uncertain.argsort(1, descending=True))


def test_official_threshold_by_hand():
    """One row of the sorted map serves every row; a fifth of 5 rows is the first."""
    scores = torch.tensor([[[3.0, 9.0, 5.0], [8.0, 7.0, 1.0]]]).repeat(1, 2, 1)
    scores = torch.cat([scores, scores[:, :1]], dim=1)  # five rows
    found = above_sorted_row(scores, 0.2)  # thresholds 9, 5, 3
    expected = scores > torch.tensor([9.0, 5.0, 3.0])
    assert torch.equal(found, expected.float())


def test_quantile_selects_its_share():
    scores = draw(3, 6, 5).requires_grad_()
    found = above_quantile(scores, 0.7)
    assert found.sum((1, 2)).tolist() == [21, 21, 21]
    assert not found.requires_grad
    low = torch.where(found > 0, scores, torch.inf).amin((1, 2))
    high = torch.where(found > 0, -torch.inf, scores).amax((1, 2))
    assert (low > high).all()
    assert above_quantile(torch.zeros(1, 4, 4), 0.5).sum() == 8  # ties are not doubled


def test_stretched():
    scores = draw(2, 9, 8).requires_grad_()
    found = stretched(scores, 3)
    assert found.amin((1, 2)).tolist() == [0, 0]
    assert found.amax((1, 2)).tolist() == [1, 1]
    border = torch.ones(9, 8, dtype=torch.bool)
    border[3:6, 3:5] = False
    assert (found[:, border] == found[:, :1, :1].flatten(1)).all()
    found.sum().backward()
    assert scores.grad.abs().sum() > 0


@pytest.mark.parametrize('threshold', [above_sorted_row, above_quantile])
def test_shares_that_take_nothing(threshold):
    scores = torch.zeros(1, 4, 4)
    for share in (0.01, 1.5):
        with pytest.raises(ValueError, match=re.escape(f'share is {share}: of ')):
            threshold(scores, share)


def test_border_that_leaves_nothing():
    with pytest.raises(ValueError, match=r'border of 3 .* nothing of scores of 6 x 9'):
        stretched(torch.zeros(1, 6, 9), 3)
