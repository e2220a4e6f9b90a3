"""Noise that belongs to the items of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def item_noise(
    seeds: Sequence[int],
    stream: int,
    shape: Sequence[int],
    device: torch.device | str = 'cpu',
    normal: bool = False,
) -> Tensor:
    """Noise ``(b, *shape)`` float32, independent between items, uniform in [0, 1).

    The values of an item depend on its seed, the stream and the shape alone, so a
    batch that is split over processes gets what the whole batch would. They are drawn
    where they are used; a GPU draws other values than the CPU.

    Args:
        seeds: one for each item, in [0, 2**63).
        stream: number of the use, so that two uses in one loss differ; from 0.
        shape: of the noise of one item.
        device: where the noise is needed.
        normal: of mean 0 and variance 1 instead.

    Raises:
        ValueError: there is no seed, or a seed or the stream is negative.
    """
    if not seeds or min(seeds) < 0 or stream < 0:
        raise ValueError(
            f'seeds are {list(seeds)} and the stream is {stream}; give one seed for '
            'each item, none of them below 0.'
        )
    noise = torch.empty(len(seeds), *shape, device=device)
    for row, seed in zip(noise, seeds, strict=True):
        state = np.random.SeedSequence((seed, stream)).generate_state(1, np.uint64)
        generator = torch.Generator(device=device)
        generator.manual_seed(int(state[0]) >> 1)  # below 2**63
        if normal:
            row.normal_(generator=generator)
        else:
            row.uniform_(generator=generator)
    return noise
