"""Parts: IoU per class over all frames of all videos together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.functional.confusion import (
    VOID,
    ConfusionScores,
    confusion_histogram,
    confusion_scores,
    histogram_areas,
    nearest_to_size,
)
from densecorr.evaluation.metrics.base import VideoMetric
from densecorr.registry import METRICS
from densecorr.structures import VideoSample
from densecorr.utils.tables import format_csv

OTHER_SIZES = ('raise', 'nearest')
_DECIMALS = 6
_SHOWN = 10  # names in a message


@METRICS.register_module()
class PartsMetric(VideoMetric):
    """Mean IoU over the classes, from one histogram over all annotated frames.

    The first frame, whose labels were given, counts, as in the published evaluations.
    Classes that neither annotations nor predictions have are left out of the mean;
    background is a class.

    Args:
        num_classes: classes, background among them.
        void: label of annotations whose pixels do not count; None: every pixel counts.
        other_size: a prediction of another size than its annotation is an error
            (``'raise'``), or resized to it by ``'nearest'``, as CRW's evaluation does.

    Reads ``classes`` of the dataset's metainfo, the names of the classes.

    Reference: the evaluations of VIP in ajabri/videowalk (047f3f4) and
        qianduoduolr/Spa-then-Temp (4c94362), which agree.
    """

    default_prefix = 'parts'

    def __init__(
        self,
        num_classes: int = 20,
        void: int | None = VOID,
        other_size: str = 'raise',
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f'num_classes is {num_classes}; give at least 1.')
        if other_size not in OTHER_SIZES:
            raise ValueError(
                f'other_size of PartsMetric should be one of {list(OTHER_SIZES)}, not '
                f'{other_size!r}.'
            )
        self.num_classes, self.void = num_classes, void
        self.resize = other_size == 'nearest'
        self._video: VideoSample | None = None

    def start(self, video: VideoSample) -> None:
        """Begin a video."""
        self._video = video
        self._frames: dict[int, np.ndarray] = {}

    def update(self, index: int, pred: np.ndarray, target: np.ndarray | None) -> None:
        """Count the pixels of a frame, if it is annotated.

        Args:
            index: frame number.
            pred: ``(H, W)`` predicted classes.
            target: ``(H, W)`` annotated classes; None where there are none.

        Raises:
            ValueError: the maps differ in size, or hold labels that are no classes;
                names video and frame.
        """
        video = self._current()
        if target is None:
            return
        frame = f'video {video.name!r}, frame {video.frame_names[index]!r}'
        if pred.shape != target.shape:
            if not self.resize:
                raise ValueError(
                    f'{frame}: the prediction is {pred.shape}, the annotation '
                    f'{target.shape} (H, W). Predict at the size of the annotation, '
                    "or set other_size='nearest'."
                )
            pred = nearest_to_size(pred, (target.shape[0], target.shape[1]))
        try:
            found = confusion_histogram(pred, target, self.num_classes, self.void)
        except ValueError as error:
            raise ValueError(f'{frame}: {error}') from error
        self._frames[index] = found

    def finish(self) -> dict[str, Any]:
        """Numbers of the video: plain values that JSON can hold.

        Returns:
            ``video``, ``num_frames``, ``frames`` (names of the annotated ones),
            ``frame_scores`` (mIoU of each, None where no pixel counts) and
            ``histogram``, rows of pixels [annotated class][predicted class].

        Raises:
            ValueError: annotated frames were not given.
        """
        video = self._current()
        missing = [i for i in video.label_frames if i not in self._frames]
        if missing:
            raise ValueError(
                f'video {video.name!r}: {len(missing)} frames were not scored, '
                f'{[video.frame_names[i] for i in missing[:_SHOWN]]}. Predict every '
                'annotated frame.'
            )
        frames = [self._frames[index] for index in video.label_frames]
        total = sum(frames, np.zeros((self.num_classes,) * 2, np.int64))
        self._video, self._frames = None, {}
        return dict(
            video=video.name,
            num_frames=video.num_frames,
            frames=[video.frame_names[index] for index in video.label_frames],
            frame_scores=[_known(_scores(frame).mean_iou) for frame in frames],
            histogram=total.tolist(),
        )

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """``mIoU``, ``mAcc`` and ``aAcc`` as fractions; none where no pixel counts."""
        scores = _scores(self._total(results))
        numbers = dict(
            mIoU=scores.mean_iou,
            mAcc=scores.mean_accuracy,
            aAcc=scores.overall_accuracy,
        )
        known = {name: _known(number) for name, number in numbers.items()}
        return {name: number for name, number in known.items() if number is not None}

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``per_class.csv`` over all videos and ``per_video.csv``."""
        names = list((self.dataset_meta or {}).get('classes', ()))
        if len(names) != self.num_classes:
            names = [str(number) for number in range(self.num_classes)]
        return {
            'per_class.csv': per_class(self._total(results), names),
            'per_video.csv': per_video(results),
        }

    def _total(self, results: Sequence[Mapping[str, Any]]) -> np.ndarray:
        total = np.zeros((self.num_classes,) * 2, np.int64)
        for result in results:
            total += np.asarray(result['histogram'], np.int64)
        return total

    def _current(self) -> VideoSample:
        if self._video is None:
            raise ValueError('PartsMetric has no video. Call start(video) first.')
        return self._video


def per_class(histogram: np.ndarray, names: Sequence[str]) -> str:
    """Text of a csv file: a row per class; empty cells where a class does not occur."""
    areas = histogram_areas(histogram)
    scores = confusion_scores(areas)
    cells = (scores.iou, scores.accuracy, areas.target, areas.pred)
    numbers = zip(*(column.tolist() for column in cells), strict=True)
    rows = [
        [number, name, *row]
        for number, (name, row) in enumerate(zip(names, numbers, strict=True))
    ]
    columns = ['Class', 'Name', 'IoU', 'Accuracy', 'Annotated', 'Predicted']
    return format_csv(rows, columns, _DECIMALS)


def per_video(results: Sequence[Mapping[str, Any]]) -> str:
    """Text of a csv file: a row per video, with the means over its own classes."""
    rows = []
    for result in results:
        areas = histogram_areas(np.asarray(result['histogram']))
        scores = confusion_scores(areas)
        row = [result['video'], result['num_frames'], int((areas.target > 0).sum())]
        row += [scores.mean_iou, scores.mean_accuracy, scores.overall_accuracy]
        rows.append(row)
    columns = ['Video', 'Frames', 'Classes', 'mIoU', 'mAcc', 'aAcc']
    return format_csv(rows, columns, _DECIMALS)


def _scores(histogram: np.ndarray) -> ConfusionScores:
    return confusion_scores(histogram_areas(histogram))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
