"""Counter-based randomness: numbers that depend on what they are for, on no history.

A generator is made from the seed of a run and the counters of its use, so a clip is the
same for any number of workers and processes, and after a resume.
"""

from __future__ import annotations

import numpy as np

SEED_LIMIT = 2**63  # torch's generators take seeds below it


def item_rng(
    seed: int, epoch: int, index: int, attempt: int = 0
) -> np.random.Generator:
    """The generator of one training item.

    Args:
        seed: of the run.
        epoch: from 0.
        index: of the item in its dataset, from 0.
        attempt: 0, or the number of the replacement where an item cannot be read.

    Raises:
        ValueError: one of them is negative.
    """
    return _rng(dict(seed=seed, epoch=epoch, index=index, attempt=attempt))


def epoch_rng(seed: int, epoch: int) -> np.random.Generator:
    """The generator of the order of an epoch's items.

    Raises:
        ValueError: one of the arguments is negative.
    """
    return _rng(dict(seed=seed, epoch=epoch))


def draw_seed(rng: np.random.Generator) -> int:
    """A seed for further generators, numpy's or torch's, in [0, 2**63)."""
    return int(rng.integers(SEED_LIMIT))


def iteration_seed(seed: int, iteration: int, rank: int) -> int:
    """The seed of torch's global generators in one iteration of one process.

    Raises:
        ValueError: one of the arguments is negative.
    """
    return draw_seed(_rng(dict(seed=seed, iteration=iteration, rank=rank)))


def _rng(counters: dict[str, int]) -> np.random.Generator:
    wrong = {name: value for name, value in counters.items() if value < 0}
    if wrong:
        raise ValueError(f'counters of randomness start at 0, these do not: {wrong}.')
    return np.random.default_rng(tuple(counters.values()))
