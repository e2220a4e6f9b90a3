"""How losses pull at the same parameters."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class GradientAgreement(NamedTuple):
    """Gradients of several losses on common parameters, in two kinds of numbers.

    Attributes:
        norms: name of a loss to the length of its gradient.
        cosines: names of two losses to the cosine between their gradients, in [-1, 1];
            below 0 a step for one of them makes the other worse. 0 where a gradient is
            zero.
    """

    norms: dict[str, Tensor]
    cosines: dict[tuple[str, str], Tensor]


def gradient_agreement(
    losses: Mapping[str, Tensor], parameters: Sequence[Tensor]
) -> GradientAgreement:
    """Lengths and cosines of the gradients of losses, without a change of ``.grad``.

    Costs a backward pass for each loss, and the memory of its gradients. The graph
    remains for the backward pass of the training.

    Args:
        losses: scalars by name.
        parameters: that all of them may depend on; where one does not, its gradient is
            zero.
    """
    found = {name: _gradient(loss, parameters) for name, loss in losses.items()}
    norms = {name: _dot(grads, grads).sqrt() for name, grads in found.items()}
    cosines = {}
    for one, other in itertools.combinations(found, 2):
        product = norms[one] * norms[other]
        cosine = _dot(found[one], found[other]) / product
        cosines[one, other] = torch.where(product > 0, cosine, torch.zeros_like(cosine))
    return GradientAgreement(norms, cosines)


def _gradient(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    with torch.autocast(loss.device.type, enabled=False):
        found = torch.autograd.grad(
            loss,
            list(parameters),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
    return [grad.float() if grad.dtype.itemsize < 4 else grad for grad in found]


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    products = [(a * b).sum() for a, b in zip(one, other, strict=True)]
    return torch.stack(products).sum()
