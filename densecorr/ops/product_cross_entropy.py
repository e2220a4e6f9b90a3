"""Cross entropy of products with a table of classes; the products are never kept."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .precision import full_precision

_ENTRIES = 2**20  # products at a time: 4 MiB, which a cache holds


@full_precision
def product_cross_entropy(
    queries: Tensor, classes: Tensor, labels: Tensor, temperature: float = 1.0
) -> Tensor:
    """Mean over queries of ``-log softmax(queries classes^T / temperature)`` at labels.

    With queries and classes that need a gradient, the gradients are computed with the
    loss, for some queries at a time, so that neither the ``(n, p)`` products nor their
    gradients are ever stored: the extra memory is that of the queries and the classes.
    There is no second derivative.

    Args:
        queries: ``(n, c)``.
        classes: ``(p, c)``.
        labels: ``(n,)`` int64 in [0, p).
        temperature: divides the products.

    Raises:
        ValueError: shapes do not fit, there is no query, or the temperature is not
            positive.
    """
    if not temperature > 0:
        raise ValueError(f'temperature is {temperature}; it should be > 0.')
    if (
        queries.ndim != 2
        or classes.ndim != 2
        or queries.shape[1] != classes.shape[1]
        or labels.shape != queries.shape[:1]
        or not len(queries)
    ):
        raise ValueError(
            f'queries are {tuple(queries.shape)}, classes {tuple(classes.shape)} and '
            f'labels {tuple(labels.shape)}; give (n, c), (p, c) and (n,), n above 0.'
        )
    return _ProductCrossEntropy.apply(queries, classes, labels, temperature)


class _ProductCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, queries: Tensor, classes: Tensor, labels: Tensor, temperature: float
    ) -> Tensor:
        wanted = any(ctx.needs_input_grad)
        parts = max(_ENTRIES // len(classes), 1)
        scale, total = 1 / (temperature * len(queries)), queries.new_zeros(())
        grad_queries = torch.empty_like(queries) if wanted else None
        grad_classes = torch.zeros_like(classes) if wanted else None
        scaled = classes / temperature
        for start in range(0, len(queries), parts):
            rows = slice(start, start + parts)
            own = labels[rows, None]
            logits = queries[rows] @ scaled.T
            total += torch.logsumexp(logits, 1).sum() - logits.gather(1, own).sum()
            if grad_queries is None or grad_classes is None:
                continue
            wrong = logits.softmax(1)
            wrong.scatter_add_(1, own, wrong.new_full(own.shape, -1.0))
            torch.mm(wrong, classes, out=grad_queries[rows])
            grad_classes.addmm_(wrong.T, queries[rows])
        if grad_queries is not None and grad_classes is not None:
            ctx.save_for_backward(grad_queries.mul_(scale), grad_classes.mul_(scale))
        return total / len(queries)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        queries, classes = ctx.saved_tensors
        return grad * queries, grad * classes, None, None
