"""What the test loop asks of a metric."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from densecorr.structures import VideoSample


class VideoMetric(BaseMetric):
    """A metric that sees a video frame by frame and keeps numbers only.

    The test loop calls :meth:`start`, :meth:`update` for every frame, :meth:`finish`;
    at the end :meth:`compute_metrics` and :meth:`tables` with what all videos gave.
    """

    def scored_frames(self, video: VideoSample) -> tuple[int, ...]:
        """Numbers of the frames of a video that count: here all that have labels."""
        return video.label_frames

    @abstractmethod
    def start(self, video: VideoSample) -> None:
        """Begin a video."""

    @abstractmethod
    def update(self, index: int, pred: np.ndarray, target: np.ndarray | None) -> None:
        """See a frame: predicted and, where there are any, true labels.

        Args:
            index: frame number.
            pred: ``(H, W)`` label map, or ``(j, 2)`` joints.
            target: the same of the truth.
        """

    @abstractmethod
    def finish(self) -> dict[str, Any]:
        """Numbers of the video, as plain values that JSON can hold."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect what :meth:`finish` gave, one entry per video."""
        self.results.extend(data_samples)

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Texts of further result files by name; none by default."""
        return {}
