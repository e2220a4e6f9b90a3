"""A generator that gives recorded draws and checks what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np


class RecordedDraws:
    """Stands for a numpy generator.

    Args:
        draws: one entry for each call: a whole number for ``integers``, an array for
            the others.

    Attributes:
        ranges: lowest and highest number, both included, of each call of ``integers``.
    """

    def __init__(self, *draws: Any) -> None:
        self._draws = list(draws)
        self.ranges: list[tuple[int, int]] = []

    @property
    def generator(self) -> np.random.Generator:
        """Itself, under the type that samplers take."""
        return cast(np.random.Generator, self)

    def integers(
        self, low: int, high: int | None = None, *, endpoint: bool = False
    ) -> int:
        first, last = (0, low) if high is None else (low, high)
        last = last if endpoint else last - 1
        self.ranges.append((int(first), int(last)))
        value = int(self._draws.pop(0))
        assert first <= value <= last, f'{value} is outside [{first}, {last}]'
        return value

    def random(self, size: int) -> np.ndarray:
        return self._next(size)

    def permutation(self, size: int) -> np.ndarray:
        order = self._next(size)
        assert sorted(order) == list(range(size)), order
        return order

    def choice(self, total: int, size: int, replace: bool) -> np.ndarray:
        chosen = self._next(size)
        assert chosen.min() >= 0 and chosen.max() < total, (chosen, total)
        assert replace or len(set(chosen.tolist())) == size, chosen
        return chosen

    def all_used(self) -> bool:
        return not self._draws

    def _next(self, size: int) -> np.ndarray:
        value = np.asarray(self._draws.pop(0))
        assert value.shape == (size,), (value.shape, size)
        return value


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of several lengths as one array, filled up with -1."""
    full = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for i, row in enumerate(rows):
        full[i, : len(row)] = row
    return full
