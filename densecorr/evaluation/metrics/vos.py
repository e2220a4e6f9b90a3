"""Video object segmentation: J and F of DAVIS, a frame at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.evaluation.functional.boundary import BOUND_TH, boundary_tolerance
from densecorr.evaluation.functional.davis import (
    frame_scores,
    match_objects,
    pair_scores,
    summarize,
)
from densecorr.evaluation.metrics.base import VideoMetric
from densecorr.evaluation.metrics.official import OfficialMeasures
from densecorr.evaluation.metrics.vos_tables import vos_tables
from densecorr.registry import METRICS
from densecorr.structures import VideoSample

TASKS = ('semi-supervised', 'unsupervised')
EXTRA_LABELS = ('raise', 'ignore')
MAX_PROPOSALS = 20  # of the unsupervised task of DAVIS
_VOID = 255
_SHOWN = 10  # names in a message


@METRICS.register_module()
class VOSMetric(VideoMetric):
    """J and F per object and frame, their statistics and means over objects.

    - ``'semi-supervised'``: object k is label k of both maps. The first and last
      annotated frames do not count, void (255) of annotations is background.
    - ``'unsupervised'``: up to 20 proposals are assigned to the objects so that the
      mean score is largest. All annotated frames count, void pixels do not.

    The objects are 1 to the largest label of the first annotated frame.

    Args:
        task: ``'semi-supervised'`` or ``'unsupervised'``.
        skip_ends: whether the first and last annotated frame are left out; None does
            as the task does.
        bound_th: tolerance of F, below 1 a fraction of the image diagonal, else pixels.
        binary: DAVIS 2016, one object: all that is not 0 in annotation or prediction.
        extra_labels: ``'raise'`` an error when a prediction has labels that cannot be
            objects, as the official package does, or ``'ignore'`` them.
        official: also score with the package davis2017 and report the difference.
        void: leave void pixels out; None does as the task does. For the
            semi-supervised task this needs a dataset that keeps label 255.

    Note: in the unsupervised task the official package numbers the rows of its table
        by proposal. ``id`` keeps that, ``object`` is the object's label.

    Reference: Pont-Tuset et al., arXiv:1704.00675; Caelles et al., arXiv:1905.00737.
        Official: davisvideochallenge/davis2017-evaluation ``evaluation.py``.
    """

    default_prefix = 'vos'

    def __init__(
        self,
        task: str = 'semi-supervised',
        skip_ends: bool | None = None,
        bound_th: float = BOUND_TH,
        binary: bool = False,
        extra_labels: str = 'raise',
        official: bool = False,
        void: bool | None = None,
    ) -> None:
        super().__init__()
        for what, value, allowed in (
            ('task', task, TASKS),
            ('extra_labels', extra_labels, EXTRA_LABELS),
        ):
            if value not in allowed:
                raise ValueError(
                    f'{what} of VOSMetric should be one of {list(allowed)}, not '
                    f'{value!r}.'
                )
        boundary_tolerance((1, 1), bound_th)  # refuses what is out of range
        supervised = task == TASKS[0]
        self.supervised, self.binary, self.bound_th = supervised, binary, bound_th
        self.skip_ends = supervised if skip_ends is None else skip_ends
        self.use_void = not supervised if void is None else void
        self.ignore_extra = extra_labels == 'ignore'
        self.official = OfficialMeasures() if official else None
        self._video: VideoSample | None = None

    def scored_frames(self, video: VideoSample) -> tuple[int, ...]:
        """Numbers of the frames of a video that count.

        Raises:
            ValueError: there is none.
        """
        ends = 1 if self.skip_ends else 0
        scored = video.label_frames[ends : len(video.label_frames) - ends]
        if not scored:
            raise ValueError(
                f'sequence {video.name!r} has {len(video.label_frames)} annotated '
                'frames, none of which counts: the first and last are left out. '
                'Leave the sequence out, or set skip_ends=False.'
            )
        return scored

    def start(self, video: VideoSample) -> None:
        """Begin a video; reads its first annotation.

        Raises:
            ValueError: it has no frame that counts.
        """
        scored = self.scored_frames(video)
        first, _ = self._split_void(video.read_labels(video.label_frames[0]).indices)
        self._num_objects = int(first.max())
        self._labels: Sequence[int] = range(1, self._num_objects + 1)
        self._warn_labels(video.name, first)
        self._video, self._scored = video, frozenset(scored)
        self._frames: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._num_proposals, self._difference = 0, 0.0

    def update(self, index: int, pred: np.ndarray, target: np.ndarray | None) -> None:
        """Score a frame, if it counts.

        Args:
            index: frame number.
            pred: ``(H, W)`` predicted labels.
            target: ``(H, W)`` annotated labels; None where there are none.

        Raises:
            ValueError: the maps differ in size, or the prediction has labels that
                cannot be objects; names sequence and frame.
        """
        video = self._current()
        if index not in self._scored:
            return
        frame = f'sequence {video.name!r}, frame {video.frame_names[index]!r}'
        if target is None:
            raise ValueError(f'{frame}: its annotation was not given.')
        if pred.shape != target.shape:
            raise ValueError(
                f'{frame}: the prediction is {pred.shape}, the annotation '
                f'{target.shape} (H, W). Predict at the size of the annotation.'
            )
        pred = (pred > 0).astype(np.uint8) if self.binary else pred
        if self._num_objects:
            self._check_labels(frame, pred)
            self._frames[index] = self._score(pred, *self._split_void(target))

    def finish(self) -> dict[str, Any]:
        """Numbers of the video: plain values that JSON can hold.

        Returns:
            ``video``, ``num_frames``, ``frames`` (names of those that count) and
            ``objects``, a list of ``id`` (row of the official table, from 1),
            ``object`` (its label), ``proposal`` (label in the prediction), ``J`` and
            ``F`` (per frame). With ``official`` also ``official_difference``, the
            largest.

        Raises:
            ValueError: frames that count were not given.
        """
        video = self._current()
        names = [video.frame_names[index] for index in sorted(self._scored)]
        missing = sorted(self._scored - set(self._frames))
        if missing and self._num_objects:
            raise ValueError(
                f'sequence {video.name!r}: {len(missing)} frames were not scored, '
                f'{[video.frame_names[i] for i in missing[:_SHOWN]]}. Predict every '
                'annotated frame.'
            )
        result: dict[str, Any] = dict(
            video=video.name,
            num_frames=video.num_frames,
            frames=names,
            objects=self._objects() if self._num_objects else [],
        )
        if self.official:
            result['official_difference'] = self._difference
        self._video, self._frames = None, {}
        return result

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Global numbers, fractions, each averaged over all objects of all videos."""
        objects = [item for result in results for item in result['objects']]
        if not objects:
            raise ValueError(
                f'None of {len(results)} sequences has an annotated object to score. '
                'Check the annotations: are they read as empty?'
            )
        summary = summarize(
            [np.array(item['J']) for item in objects],
            [np.array(item['F']) for item in objects],
        )
        differences = [r['official_difference'] for r in results if self.official]
        if differences:
            summary['official-difference'] = max(differences)
        return summary

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Texts of the csv files by name, see :func:`vos_tables`."""
        return vos_tables(results, self.compute_metrics(results), self.dataset_meta)

    def _current(self) -> VideoSample:
        if self._video is None:
            raise ValueError('VOSMetric has no video. Call start(video) first.')
        return self._video

    def _split_void(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Labels without void, and the void pixels if they are left out."""
        if self.binary:
            return (target > 0).astype(np.uint8), None
        void = target == _VOID
        labels = np.where(void, 0, target)
        return labels, void if self.use_void else None

    def _warn_labels(self, name: str, first: np.ndarray) -> None:
        """Tell about first annotations that give surprising scores."""
        message = ''
        if not self._num_objects:
            message = 'has no annotated object in its first annotation: not scored.'
        else:
            present = set(np.unique(first).tolist())
            gaps = sorted(set(range(1, self._num_objects + 1)) - present)
            if gaps:
                message = (
                    f'lacks labels {gaps[:_SHOWN]} below {self._num_objects} in its '
                    'first annotated frame. They are scored as objects, with 1 where '
                    'both maps are empty, as the official package does; number the '
                    'objects from 1 without gaps.'
                )
        if message:
            text = f'sequence {name!r} {message}'
            print_log(text, logger='current', level=logging.WARNING)

    def _check_labels(self, frame: str, pred: np.ndarray) -> None:
        if self.supervised:
            limit, allowed = self._num_objects, f'objects 1..{self._num_objects}'
        else:
            limit, allowed = MAX_PROPOSALS, f'at most {MAX_PROPOSALS} proposals'
        largest = int(pred.max())
        if largest > limit and not self.ignore_extra:
            extra = np.unique(pred[pred > limit]).tolist()[:_SHOWN]
            raise ValueError(
                f'{frame}: the prediction has labels {extra}, but the sequence has '
                f"{allowed}. Correct it, or set extra_labels='ignore'."
            )
        self._num_proposals = max(self._num_proposals, min(largest, limit))

    def _score(
        self, pred: np.ndarray, target: np.ndarray, void: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """J and F of a frame: ``(o,)``, or ``(proposals, o)`` in the unsupervised task.

        Proposals that no frame has are cut off by :meth:`_objects`.
        """
        objects = self._labels
        if self.supervised:
            scores = frame_scores(pred, target, objects, void, self.bound_th)
            pairs = [(label, label) for label in objects]
        else:
            proposals = range(1, max(MAX_PROPOSALS, self._num_objects) + 1)
            scores = pair_scores(pred, target, proposals, objects, void, self.bound_th)
            pairs = [(row, column) for row in proposals for column in objects]
        if self.official:
            theirs = self.official.scores(pred, target, pairs, void, self.bound_th)
            for ours, other in zip(scores, theirs, strict=True):
                difference = float(np.abs(ours.ravel() - other).max())
                self._difference = max(self._difference, difference)
        return scores

    def _objects(self) -> list[dict[str, Any]]:
        """Series of every object, in the order of the official table."""
        frames = [self._frames[index] for index in sorted(self._scored)]
        region, boundary = (
            np.stack(part, axis=-1) for part in zip(*frames, strict=True)
        )
        labels = proposals = np.arange(self._num_objects)
        if not self.supervised:
            rows = max(self._num_proposals, self._num_objects)
            region, boundary = region[:rows], boundary[:rows]  # (proposals, o, t)
            proposals, labels = match_objects(region, boundary)
            region, boundary = region[proposals, labels], boundary[proposals, labels]
        return [
            dict(
                id=row + 1,
                object=int(labels[row]) + 1,
                proposal=int(proposals[row]) + 1,
                J=region[row].tolist(),
                F=boundary[row].tolist(),
            )
            for row in range(len(labels))
        ]
