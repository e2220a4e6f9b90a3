"""PCK of joint tracking, as CRW and as Spa-then-Temp measure it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from densecorr.evaluation.functional.keypoints import (
    BOX_RATIO,
    JointCounts,
    check_options,
    count_joints,
    joint_errors,
)
from densecorr.registry import METRICS
from densecorr.structures import VideoSample
from densecorr.utils.tables import format_csv

from .base import VideoMetric

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5)
_DECIMALS = 6
_SHOWN = 8  # frames in a message


@METRICS.register_module()
class PCKMetric(VideoMetric):
    """Percentage of correct keypoints, a plain mean over joints.

    A joint is correct if it lies within ``threshold`` times the person's size of its
    true place, see :func:`densecorr.evaluation.functional.keypoints.joint_errors`. The
    share of a joint is taken over all frames of all videos together; a joint that the
    predictions never call visible is left out of the mean.

    The defaults are Spa-then-Temp's; CRW has ``skip_first=True`` and
    ``zero_is_lost=False``.

    Args:
        thresholds: in sizes of the person, ascending.
        skip_first: leave out frame 0, whose joints are given.
        zero_is_lost: a joint predicted at x = 0 counts as lost.
        lost: lost joints are ``'left_out'`` (both published ways) or ``'wrong'``.
        box_ratio: the person's size is this part of the diagonal of the box.

    Raises:
        ValueError: an option is not allowed.

    Note: so lost joints cost nothing in published numbers. ``lost='wrong'`` changes
        that; the table per joint counts them in any case.

    Reference: see :mod:`densecorr.evaluation.functional.keypoints`.
    """

    default_prefix = 'pck'

    def __init__(
        self,
        thresholds: Sequence[float] = THRESHOLDS,
        skip_first: bool = False,
        zero_is_lost: bool = True,
        lost: str = 'left_out',
        box_ratio: float = BOX_RATIO,
    ) -> None:
        super().__init__()
        check_options(box_ratio, lost)
        values = list(thresholds)
        if not values or values != sorted(set(values)) or not values[0] > 0:
            raise ValueError(
                f'thresholds of PCKMetric are {values}. Give ascending numbers above '
                f'0, for example {list(THRESHOLDS)}.'
            )
        self.thresholds, self.skip_first = tuple(values), skip_first
        self._options: dict[str, Any] = dict(
            zero_is_lost=zero_is_lost, lost=lost, box_ratio=box_ratio
        )
        self._video: VideoSample | None = None

    @property
    def names(self) -> list[str]:
        """Names of the numbers: ``PCK@0.1`` and so on."""
        return [f'PCK@{threshold:g}' for threshold in self.thresholds]

    def scored_frames(self, video: VideoSample) -> tuple[int, ...]:
        """Numbers of the frames of a video that count; a short clip may have none."""
        first = 1 if self.skip_first else 0
        return tuple(index for index in video.label_frames if index >= first)

    def start(self, video: VideoSample) -> None:
        """Begin a video."""
        self._video, self._scored = video, frozenset(self.scored_frames(video))
        self._frames: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def update(self, index: int, pred: np.ndarray, target: np.ndarray | None) -> None:
        """Take the joints of a frame, if it counts.

        Args:
            index: frame number.
            pred: ``(j, 2)`` predicted joints in pixels, NaN where one is lost.
            target: ``(j, 2)`` true joints; None where there are none.

        Raises:
            ValueError: the joints are not those of the truth; names video and frame.
        """
        video = self._current()
        if index not in self._scored:
            return
        frame = f'video {video.name!r}, frame {video.frame_names[index]!r}'
        if target is None:
            raise ValueError(f'{frame}: its true joints were not given.')
        try:
            errors = joint_errors(pred[None], target[None], **self._options)[0]
        except ValueError as error:
            raise ValueError(f'{frame}: {error}') from error
        self._frames[index] = errors, np.isnan(pred).any(1)

    def finish(self) -> dict[str, Any]:
        """Numbers of the video: plain values that JSON can hold.

        Returns:
            ``video``, ``num_frames``; ``frames`` (names of those that count) and
            ``frame_scores``, their share of joints at the first threshold, None where
            no joint counts; per joint ``counted``, ``lost`` and ``correct`` (a list
            per threshold), numbers of frames.

        Raises:
            ValueError: frames that count were not given.
        """
        video = self._current()
        missing = sorted(self._scored - set(self._frames))
        if missing:
            raise ValueError(
                f'video {video.name!r}: {len(missing)} frames were not scored, '
                f'{[video.frame_names[i] for i in missing[:_SHOWN]]}. Predict every '
                'annotated frame.'
            )
        order = sorted(self._scored)
        errors = [self._frames[index][0] for index in order]
        lost = [self._frames[index][1] for index in order]
        each = [count_joints(error[None], self.thresholds) for error in errors]
        result: dict[str, Any] = dict(
            video=video.name,
            num_frames=video.num_frames,
            frames=[video.frame_names[index] for index in order],
            frame_scores=[_frame_score(counts) for counts in each],
            counted=[],
            lost=[],
            correct=[[] for _ in self.thresholds],
        )
        if each:
            counts = reduce(JointCounts.__add__, each)
            result.update(
                counted=counts.counted.tolist(),
                lost=np.sum(lost, axis=0).tolist(),
                correct=counts.correct.tolist(),
            )
        self._video, self._frames = None, {}
        return result

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """``PCK@<threshold>`` as fractions, over all frames of all videos.

        0 where not one joint counts; none where no video has a frame that does.
        """
        counts = _total(results)
        if counts is None:
            return {}
        return dict(zip(self.names, counts.pck().tolist(), strict=True))

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``pck.csv`` (all numbers), ``per_joint.csv`` and ``per_video.csv``."""
        total = _total(results)
        if total is None:
            return {}
        lost = np.sum([r['lost'] for r in results if r['counted']], axis=0)
        joints = zip(
            self._joint_names(len(lost)),
            total.counted.tolist(),
            lost.tolist(),
            *total.per_joint().tolist(),
            strict=True,
        )
        videos = []
        for result in results:
            counts = _counts(result)
            seen = counts is not None and bool(counts.counted.any())
            shares = counts.pck().tolist() if counts is not None and seen else None
            row = [result['video'], result['num_frames'], len(result['frames'])]
            videos.append([*row, *(shares or [None] * len(self.names))])
        return {
            'pck.csv': format_csv([total.pck().tolist()], self.names, _DECIMALS),
            'per_joint.csv': format_csv(
                joints, ['Joint', 'Counted', 'Lost', *self.names], _DECIMALS
            ),
            'per_video.csv': format_csv(
                videos, ['Sequence', 'Frames', 'Scored', *self.names], _DECIMALS
            ),
        }

    def _current(self) -> VideoSample:
        if self._video is None:
            raise ValueError('PCKMetric has no video. Call start(video) first.')
        return self._video

    def _joint_names(self, number: int) -> list[str]:
        """As the dataset names them, else their numbers from 1."""
        names = (self.dataset_meta or {}).get('joint_names', ())
        if len(names) == number:
            return list(names)
        return [f'joint {index}' for index in range(1, number + 1)]


def _frame_score(counts: JointCounts) -> float | None:
    counted = int(counts.counted.sum())
    return int(counts.correct[0].sum()) / counted if counted else None


def _counts(result: Mapping[str, Any]) -> JointCounts | None:
    """Counts of a video; None where no frame counts."""
    if not result['counted']:
        return None
    return JointCounts(np.array(result['correct']), np.array(result['counted']))


def _total(results: Sequence[Mapping[str, Any]]) -> JointCounts | None:
    """Counts of all videos together.

    Raises:
        ValueError: videos have different numbers of joints.
    """
    found = [counts for counts in map(_counts, results) if counts is not None]
    numbers = sorted({len(counts.counted) for counts in found})
    if len(numbers) > 1:
        raise ValueError(
            f'videos have {numbers} joints. PCK is a mean over the joints of one '
            'skeleton: evaluate each kind of video by itself.'
        )
    return reduce(JointCounts.__add__, found) if found else None
