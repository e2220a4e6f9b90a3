"""Mean, recall and decay of a series of per-frame scores (DAVIS)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_RECALL_TH = 0.5  # DAVIS: a frame is recalled above this score
_NUM_BINS = 4  # DAVIS: decay is first quarter minus last quarter
_ROUND_UP = 1e-10  # added before rounding so that halves go up, as in DAVIS


class SeriesStatistics(NamedTuple):
    """Statistics of one series, fractions."""

    mean: float
    recall: float
    decay: float


def series_statistics(series: np.ndarray) -> SeriesStatistics:
    """Statistics of per-frame scores ``(t,)``; NaN counts as a miss, else is ignored.

    - mean over the frames;
    - recall: share of the frames with a score above 0.5;
    - decay: mean of the first minus mean of the last quarter. Quarters share their
      border frames.

    Note: the official code keeps the borders of the quarters in 8 bits, which goes
        wrong from 257 frames on; here they are not wrapped. DAVIS has at most 104
        frames, where both agree.

    Raises:
        ValueError: the series is empty or not one-dimensional.

    Reference: Perazzi et al., CVPR 2016, Sec. 5.2. Official:
        davisvideochallenge/davis2017-evaluation ``utils.py`` ``db_statistics``.
    """
    scores = np.asarray(series, dtype=np.float64)
    if scores.ndim != 1 or not scores.size:
        raise ValueError(
            f'A series is a (t,) array with at least one score, not of shape '
            f'{scores.shape}.'
        )
    borders = np.round(np.linspace(1, len(scores), _NUM_BINS + 1) + _ROUND_UP) - 1
    k = borders.astype(int)
    decay = _mean(scores[k[0] : k[1] + 1]) - _mean(scores[k[-2] : k[-1] + 1])
    return SeriesStatistics(_mean(scores), float(np.mean(scores > _RECALL_TH)), decay)


def _mean(scores: np.ndarray) -> float:
    """Mean without NaN; NaN where nothing else is left."""
    known = scores[~np.isnan(scores)]
    return float(np.mean(known)) if known.size else float('nan')
