"""Memory of arrays that are mapped from files."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def release_pages(array: np.ndarray) -> None:
    """Give back the memory of what was read of a mapped file, or written to it.

    The file keeps all values and they are read anew when they are asked for; without
    this a process that goes through a large file once holds all of it at the end. Does
    nothing for other arrays.

    Args:
        array: of ``np.memmap`` of mode ``'r'`` or ``'r+'``, or a view of one.
    """
    owner: Any = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = getattr(owner, 'base', None)
    if owner is not None and hasattr(mmap, 'MADV_DONTNEED'):
        owner.madvise(mmap.MADV_DONTNEED)
