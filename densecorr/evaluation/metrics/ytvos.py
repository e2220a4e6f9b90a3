"""YouTube-VOS: J and F per object, each from its own first frame on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.functional.boundary import BOUND_TH
from densecorr.evaluation.functional.statistics import series_statistics
from densecorr.evaluation.metrics.vos import VOSMetric
from densecorr.evaluation.metrics.vos_tables import known_scores, per_video
from densecorr.registry import METRICS
from densecorr.structures import VideoSample
from densecorr.utils.tables import format_csv

_MEASURES = ('J', 'F')
_DECIMALS = 6
_SHOWN = 10  # labels in a message


@METRICS.register_module()
class YouTubeVOSMetric(VOSMetric):
    """J and F of every object, over the labelled frames after its first labels.

    An object is a label of the first labels, and starts in the first of these frames
    that shows it. Where all labelled frames of a video are first labels, the labels
    of the others were not given (the release keeps them), and nothing is scored.

    Args:
        bound_th: tolerance of F, below 1 a fraction of the image diagonal, else pixels.
        extra_labels: ``'raise'`` an error when a prediction has labels that are no
            object, or ``'ignore'`` them.

    Reads ``categories`` of a :class:`VideoSample`, and ``seen_categories`` of the
    dataset's metainfo: the categories of the training set, None where not known.

    Note: scores of the evaluation server are averaged over objects, too, and its J
        and F are those of DAVIS; its code is not published, so single frames may
        count differently.

    Reference: Xu et al., arXiv:1809.03327, Sec. 5.
    """

    default_prefix = 'ytvos'

    def __init__(self, bound_th: float = BOUND_TH, extra_labels: str = 'raise') -> None:
        super().__init__(skip_ends=False, bound_th=bound_th, extra_labels=extra_labels)

    def scored_frames(self, video: VideoSample) -> tuple[int, ...]:
        """Numbers of the labelled frames after the first labels; none without truth."""
        if set(video.label_frames) == set(video.first_label_frames):
            return ()
        first = video.first_label_frames[0]
        return tuple(index for index in video.label_frames if index > first)

    def start(self, video: VideoSample) -> None:
        """Begin a video; reads its first labels."""
        self._starts: dict[int, int] = {}
        for index in video.first_label_frames:
            for label in np.unique(video.read_labels(index).indices).tolist():
                if label:
                    self._starts.setdefault(label, index)
        self._labels = sorted(self._starts)
        self._num_objects = len(self._labels)
        self._allowed = np.zeros(np.iinfo(np.uint8).max + 1, bool)
        self._allowed[[0, *self._labels]] = True
        self._video, self._scored = video, frozenset(self.scored_frames(video))
        self._frames = {}

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Means over the objects of all videos, fractions; none without truth.

        Returns:
            ``J&F-Mean``, ``J-Mean``, ``F-Mean``; where categories are known also
            ``J-seen``, ``F-seen``, ``J-unseen`` and ``F-unseen`` as far as there are
            such objects, and ``G``, the mean of these four, if all are there.
        """
        objects = [item for result in results for item in result['objects']]
        if not objects:
            return {}
        means = dict(zip(_MEASURES, _means(objects), strict=True))
        summary = {'J&F-Mean': sum(means.values()) / len(means)}
        summary |= {f'{measure}-Mean': value for measure, value in means.items()}
        parts: dict[str, float] = {}
        for kind, wanted in (('seen', True), ('unseen', False)):
            group = [item for item in objects if self._seen(item) is wanted]
            names = [f'{measure}-{kind}' for measure in _MEASURES]
            parts |= dict(zip(names, _means(group), strict=True)) if group else {}
        if len(parts) == 2 * len(_MEASURES):
            parts['G'] = sum(parts.values()) / len(parts)
        return summary | parts

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``per_object.csv`` and ``per_video.csv``."""
        columns = ['Sequence', 'Object', 'Category', 'Seen', 'Frames']
        columns += ['J-Mean', 'J-Recall', 'F-Mean', 'F-Recall']
        rows = []
        for result in results:
            for item in result['objects']:
                seen = self._seen(item)
                row = [result['video'], item['object'], item['category']]
                row += [None if seen is None else int(seen)]
                row += [len(known_scores(item['J']))]
                for measure in _MEASURES:
                    found = series_statistics(known_scores(item[measure]))
                    row += [found.mean, found.recall]
                rows.append(row)
        return {
            'per_object.csv': format_csv(rows, columns, _DECIMALS),
            'per_video.csv': per_video(results),
        }

    def _seen(self, item: Mapping[str, Any]) -> bool | None:
        """Whether the category of an object is one of the training set."""
        known = (self.dataset_meta or {}).get('seen_categories')
        if known is None or item['category'] is None:
            return None
        return item['category'] in known

    def _check_labels(self, frame: str, pred: np.ndarray) -> None:
        if self.ignore_extra or self._allowed[pred].all():
            return
        extra = np.unique(pred[~self._allowed[pred]]).tolist()[:_SHOWN]
        raise ValueError(
            f'{frame}: the prediction has labels {extra}, but the first labels have '
            f"objects {self._labels}. Correct it, or set extra_labels='ignore'."
        )

    def _objects(self) -> list[dict[str, Any]]:
        """Series of every object that has a frame to score.

        ``J`` and ``F`` have an entry per scored frame of the video, None up to the
        frame of the object's first labels.
        """
        video, frames = self._current(), sorted(self._scored)
        categories = video.categories or {}
        objects: list[dict[str, Any]] = []
        for place, label in enumerate(self._labels):
            first = self._starts[label]
            if not frames or first >= frames[-1]:
                continue
            item: dict[str, Any] = dict(
                id=len(objects) + 1,
                object=label,
                proposal=label,
                category=categories.get(label),
            )
            for row, measure in enumerate(_MEASURES):
                item[measure] = [
                    float(self._frames[index][row][place]) if index > first else None
                    for index in frames
                ]
            objects.append(item)
        return objects


def _means(objects: Iterable[Mapping[str, Any]]) -> list[float]:
    """J and F, each averaged over the frames of an object, then over objects."""
    means = [
        [float(known_scores(item[measure]).mean()) for measure in _MEASURES]
        for item in objects
    ]
    return [float(value) for value in np.mean(means, axis=0)]
