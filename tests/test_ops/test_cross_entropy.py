import math

import pytest
import torch
import torch.nn.functional as F

from densecorr.ops.cross_entropy import hard_cross_entropy, soft_cross_entropy


def test_known_values():
    logits = torch.tensor([[0.0, math.log(3.0)]])
    even = soft_cross_entropy(logits, torch.tensor([[0.5, 0.5]]))
    assert even.tolist() == [pytest.approx(math.log(4) - math.log(3) / 2)]
    sharper = hard_cross_entropy(logits, torch.tensor([1]), temperature=0.5)
    assert sharper.tolist() == [pytest.approx(math.log(10 / 9))]


def test_hard_equals_soft_on_one_hot_targets_and_torch():
    logits, labels = torch.randn(2, 5, 7), torch.randint(7, (2, 5))
    hard = hard_cross_entropy(logits, labels, 0.1)
    soft = soft_cross_entropy(logits, F.one_hot(labels, 7).float(), 0.1)
    assert hard.shape == (2, 5)
    torch.testing.assert_close(hard, soft)
    expected = F.cross_entropy(logits.mT / 0.1, labels, reduction='none')
    torch.testing.assert_close(hard, expected)


def test_own_softmax_is_the_best_answer():
    logits = torch.randn(4, 6)
    targets = (logits / 0.2).softmax(-1)
    best = soft_cross_entropy(logits, targets, 0.2)
    torch.testing.assert_close(best, torch.special.entr(targets).sum(-1))
    assert (soft_cross_entropy(torch.randn(4, 6), targets, 0.2) > best).all()


def test_gradients():
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.rand(3, 4, dtype=torch.float64).softmax(-1).requires_grad_()
    labels = torch.tensor([0, 3, 1])
    assert torch.autograd.gradcheck(
        lambda x, y: soft_cross_entropy(x, y, 0.3), (logits, targets)
    )
    assert torch.autograd.gradcheck(
        lambda x: hard_cross_entropy(x, labels, 0.3), logits
    )


def test_bad_arguments_are_named():
    logits = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r'targets are \(2,\), logits \(2, 3\)'):
        soft_cross_entropy(logits, torch.zeros(2))
    with pytest.raises(ValueError, match=r'labels are \(3,\), logits \(2, 3\)'):
        hard_cross_entropy(logits, torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match='temperature is 0; it should be > 0'):
        soft_cross_entropy(logits, logits, temperature=0)
