"""Parts of a dataset that are told by the names of its videos alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence


def name_hash(name: str) -> int:
    """A number of a name, the same everywhere: its CRC-32."""
    return zlib.crc32(name.encode())


def in_fold(name: str, fold: Sequence[int]) -> bool:
    """Whether ``crc32(name) % n == k``.

    Args:
        name: of a video.
        fold: ``(n, k)``, k in [0, n).

    Raises:
        ValueError: there is no such fold.
    """
    if len(fold) != 2 or not 0 <= fold[1] < fold[0]:
        raise ValueError(
            f'fold is {tuple(fold)}; give (n, k), part k of n, with k from 0 to n - 1.'
        )
    return name_hash(name) % fold[0] == fold[1]
