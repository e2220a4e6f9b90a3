"""MATLAB files whose bytes depend on their content alone."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from scipy.io import savemat

_TEXT = b'MATLAB 5.0 MAT-file, written by densecorr'
_TEXT_BYTES = 116  # descriptive text of a MAT-file, before its subsystem offset


def encode_mat(variables: Mapping[str, np.ndarray | str]) -> bytes:
    """A compressed MAT-file of version 5; its header names no time and no machine."""
    buffer = io.BytesIO()
    savemat(buffer, dict(variables), do_compression=True)
    return _TEXT.ljust(_TEXT_BYTES) + buffer.getvalue()[_TEXT_BYTES:]
