"""Comparison with the official DAVIS package, where it is installed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

_PACKAGE = 'davis2017'
_ADDRESS = 'https://github.com/davisvideochallenge/davis2017-evaluation'


class OfficialMeasures:
    """J and F of the official package on the arrays of ours.

    Raises:
        ImportError: the package cannot be imported.
    """

    def __init__(self) -> None:
        try:
            self._metrics: Any = importlib.import_module(f'{_PACKAGE}.metrics')
        except ImportError as error:
            raise ImportError(
                f'official=True compares with the package {_PACKAGE}, which cannot be '
                f'imported here ({error}). Install it from {_ADDRESS}, or leave the '
                'option out.'
            ) from error

    def scores(
        self,
        pred: np.ndarray,
        target: np.ndarray,
        pairs: list[tuple[int, int]],
        void: np.ndarray | None,
        bound_th: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """J and F of ``(label in pred, label in target)`` pairs of one frame."""
        scores = np.empty((2, len(pairs)))
        for index, (proposal, label) in enumerate(pairs):
            region, annotation = pred == proposal, target == label
            with np.errstate(invalid='ignore'):  # it divides 0 by 0, then repairs it
                scores[0, index] = self._metrics.db_eval_iou(annotation, region, void)
            scores[1, index] = self._metrics.db_eval_boundary(
                annotation, region, void, bound_th
            )
        return scores[0], scores[1]
