"""Tracked joints of a results folder, which may be missing or damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

JOINTS_FILE = 'joint_positions.mat'
_JOINTS = 'pos_img'


def read_tracked_joints(path: Path) -> np.ndarray | None:
    """Joints that a run has written, or None where the file is not whole.

    Args:
        path: of a ``joint_positions.mat``, whose ``pos_img`` is ``(2, j, t)``, the
            first pixel being 1.

    Returns:
        ``(t, j, 2)`` float64 (x, y) in pixels, the centre of the first pixel being
        (0, 0); NaN where a joint is lost.
    """
    if not path.is_file():
        return None
    try:
        found = np.asarray(loadmat(path, variable_names=[_JOINTS])[_JOINTS])
    except Exception:  # a damaged file can raise anything; the page says what lacks
        return None
    if found.ndim == 2:
        found = found[..., None]  # the axis of a single frame is dropped
    if found.ndim != 3 or found.shape[0] != 2 or found.dtype.kind not in 'fiu':
        return None
    joints = found.transpose(2, 1, 0).astype(np.float64) - 1
    return np.where(np.isfinite(joints).all(-1, keepdims=True), joints, np.nan)
