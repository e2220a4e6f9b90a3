"""Which tokens a masked autoencoder sees."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Masking(NamedTuple):
    """A choice of visible tokens.

    Attributes:
        kept: ``(b, k)`` int64 tokens that stay, by ascending noise.
        masked: ``(b, n)`` bool, True where a token is removed.
        restore: ``(b, n)`` int64, the place of each token by ascending noise: those
            below k stay.
    """

    kept: Tensor
    masked: Tensor
    restore: Tensor


def num_kept(num_tokens: int, ratio: float) -> int:
    """Tokens that stay: ``int(n * (1 - ratio))`` in double precision.

    Rounding is part of it: of 10 tokens a ratio of 0.9 leaves none.

    Raises:
        ValueError: the ratio is not in [0, 1].
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f'a mask ratio is {ratio}; it is a share, in [0, 1].')
    return int(num_tokens * (1 - ratio))


def random_masking(noise: Tensor, ratio: float) -> Masking:
    """Keep the tokens of the smallest noise.

    Args:
        noise: ``(b, n)``.
        ratio: share that is removed, in [0, 1], see :func:`num_kept`.

    Reference: He et al., CVPR 2022, arXiv:2111.06377, Sec. 3. Official:
        minhoooo1/CatMAE ``models_catmae.py`` ``random_masking`` (0fb1f60).
    """
    count = num_kept(noise.shape[1], ratio)
    order = noise.argsort(dim=1, stable=True)
    restore = order.argsort(dim=1)
    return Masking(order[:, :count], restore >= count, restore)


def put_rows(rows: Tensor, index: Tensor, others: Tensor, count: int) -> Tensor:
    """Rows ``(b, k, c)`` at their places ``(b, k)`` among ``count``, others elsewhere.

    Args:
        rows: to put in place.
        index: where.
        others: ``(1, 1, c)``, shared by all other places.
        count: n of the result ``(b, n, c)``.
    """
    b, _, c = rows.shape
    full = others.to(rows.dtype).expand(b, count, c)
    return torch.scatter(full, 1, index[..., None].expand(-1, -1, c), rows)
