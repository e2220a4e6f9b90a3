import pytest
import torch
import torch.nn.functional as F

from densecorr.ops import product_cross_entropy as module
from densecorr.ops.product_cross_entropy import product_cross_entropy


def case(n=37, p=11, c=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    queries, classes = (
        torch.randn(k, c, generator=generator).to(dtype).requires_grad_()
        for k in (n, p)
    )
    return queries, classes, torch.randint(p, (n,), generator=generator)


@pytest.mark.parametrize('entries', [1, 44, 2**20])
def test_equals_the_plain_formula(monkeypatch, entries):
    monkeypatch.setattr(module, '_ENTRIES', entries)  # queries at a time
    queries, classes, labels = case()
    loss = product_cross_entropy(queries, classes, labels, 0.3)
    plain = F.cross_entropy(queries @ classes.T / 0.3, labels)
    torch.testing.assert_close(loss, plain)
    found = torch.autograd.grad(2 * loss, [queries, classes])
    expected = torch.autograd.grad(2 * plain, [queries, classes])
    torch.testing.assert_close(found, expected)


def test_gradients_are_those_of_finite_differences():
    queries, classes, labels = case(7, 4, 3)
    assert torch.autograd.gradcheck(
        lambda q, k: product_cross_entropy(q, k, labels, 0.5), (queries, classes)
    )
    loss = product_cross_entropy(queries, classes.detach(), labels)
    assert torch.autograd.grad(loss, queries)[0].shape == queries.shape
    plain = product_cross_entropy(queries.detach(), classes.detach(), labels)
    assert not plain.requires_grad


def test_half_precision_is_computed_in_float32():
    queries, classes, labels = case(dtype=torch.bfloat16)
    wide = product_cross_entropy(queries.float(), classes.float(), labels, 0.05)
    with torch.autocast('cpu', torch.bfloat16):
        loss = product_cross_entropy(queries, classes, labels, 0.05)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, wide)


def test_errors():
    queries, classes, labels = case(4, 3, 2)
    with pytest.raises(ValueError, match='temperature is 0; it should be > 0'):
        product_cross_entropy(queries, classes, labels, 0)
    with pytest.raises(ValueError, match=r'queries are \(4, 2\), classes \(3, 1\)'):
        product_cross_entropy(queries, classes[:, :1], labels)
    with pytest.raises(ValueError, match='n above 0'):
        product_cross_entropy(queries[:0], classes, labels[:0])
