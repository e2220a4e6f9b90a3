"""Discovery of the one foreground of a video, by scores in which annotation chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from densecorr.evaluation.functional.discovery import best_candidate, merge_foreground
from densecorr.evaluation.functional.region import region_similarity
from densecorr.evaluation.metrics.candidate_tracks import (
    VOID,
    Candidates,
    Tracked,
    VideoJob,
    enlarged,
    size_of,
    tracked,
    video_jobs,
)
from densecorr.evaluation.metrics.discovery_views import shown_frames
from densecorr.evaluation.metrics.seg_tables import (
    ImageScore,
    check_pictures,
    per_image_csv,
    write_shown,
)
from densecorr.registry import METRICS
from densecorr.structures import LabelledImage
from densecorr.utils.tables import format_csv

BEST, MERGE = 'oracle_best', 'oracle_merge'
SCORES = (BEST, MERGE)
_DECIMALS = 6
_MERGED = 0.5  # as merge_foreground scores it


@METRICS.register_module()
class SingleObjectMetric:
    """J of the foreground of annotated frames; both scores are oracles.

    All objects of a frame are one foreground. ``oracle_best``: of all tracks of a video
    the one with the largest mean J. ``oracle_merge``: in every frame the sum of all
    candidates that are more like the foreground than like the background, see
    :func:`densecorr.evaluation.functional.discovery.merge_foreground`. Means over the
    annotated frames of a sequence, then over sequences.

    Args:
        linker: candidates of consecutive frames are one track from this cosine of
            their slots on.
        max_candidates: of a frame.
        pictures: frames of a video whose maps are kept for the report, evenly spaced.

    Note: there is no official rule; the scores are densecorr's.
    """

    dataset_meta: Mapping[str, Any] | None = None
    out_dir: str | None = None

    def __init__(
        self, linker: float = 0.5, max_candidates: int = 300, pictures: int = 32
    ) -> None:
        self.linker, self.max_candidates = linker, max_candidates
        self.pictures = check_pictures(pictures)

    def jobs(self, images: Sequence[LabelledImage]) -> list[VideoJob]:
        """A job for every video."""
        return video_jobs(images)

    def run(
        self, job: VideoJob, images: Sequence[LabelledImage], maps: Candidates
    ) -> dict[str, Any]:
        """Score a video: plain values that JSON can hold.

        Arguments as of :meth:`DiscoveryMetric.run`.

        Returns:
            ``video``, ``frames`` (names of those that count), ``candidates`` (their
            kind), ``track`` (the best one) and by score J per frame.

        Raises:
            ValueError: candidates and frames do not fit, or there are none at all.
        """
        members = [images[i] for i in job.images]
        video = tracked(maps, members, self.linker, self.max_candidates)
        count = max((int(max(own, default=0)) for own in video.tracks), default=0)
        if not count:
            raise ValueError(
                f'video {job.name!r} has no candidate in any frame. Lower similarity '
                'of the protocol, or leave it out with sequences=[...].'
            )
        region = np.zeros((count, len(members)))
        merged = []
        for t, image in enumerate(members):
            truth, valid = _foreground(image)
            region[:, t] = _track_scores(video, image.name, truth, valid, count)
            shares = enlarged(video.of(image.name)[0].shares, size_of(truth))
            merged.append(_merge(shares * valid, truth))
        best, _ = best_candidate(region)
        if self.out_dir is not None and self.pictures:
            self._keep(video, members, best + 1, [m for _, m in merged])
        return {
            'video': job.name,
            'frames': [image.name for image in members],
            'candidates': video.frames[0].kind,
            'track': best + 1,
            BEST: region[best].tolist(),
            MERGE: [score for score, _ in merged],
        }

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Mean J by score."""
        return {
            f'{score}/J-Mean': float(np.mean([np.mean(r[score]) for r in results]))
            for score in SCORES
        }

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``single_object.csv``, a row for every video, and ``per_image.csv``."""
        rows = [
            [
                result['video'],
                result['candidates'],
                *(float(np.mean(result[score])) for score in SCORES),
                len(result['frames']),
            ]
            for result in results
        ]
        columns = ['Video', 'Candidates', *SCORES, 'Frames']
        scores = (
            ImageScore(score, name, result['video'], value)
            for score in SCORES
            for result in results
            for name, value in zip(result['frames'], result[score], strict=True)
        )
        return {
            'single_object.csv': format_csv(rows, columns, _DECIMALS),
            'per_image.csv': per_image_csv(scores),
        }

    def _keep(
        self,
        video: Tracked,
        images: Sequence[LabelledImage],
        best: int,
        merged: Sequence[np.ndarray],
    ) -> None:
        """Write the masks of both scores for the report."""
        assert self.out_dir is not None  # the caller has looked
        for t in shown_frames(len(images), self.pictures):
            frame, tracks = video.of(images[t].name)
            mask = frame.masks[tracks == best].any(0)
            shown = enlarged(mask, size_of(merged[t]))
            write_shown(self.out_dir, BEST, images[t].name, shown)
            write_shown(self.out_dir, MERGE, images[t].name, merged[t])


def _foreground(image: LabelledImage) -> tuple[np.ndarray, np.ndarray]:
    """``(H, W)`` bool: all objects, and the pixels that count."""
    labels = image.read_labels().indices
    valid = labels != VOID
    return (labels != 0) & valid, valid


def _track_scores(
    video: Tracked, name: str, truth: np.ndarray, valid: np.ndarray, count: int
) -> np.ndarray:
    """J ``(count,)`` of tracks with the foreground; one without a mask is empty."""
    frame, tracks = video.of(name)
    scores = np.full(count, float(not truth.any()))
    masks = enlarged(frame.masks, size_of(truth)) & valid
    scores[tracks - 1] = region_similarity(masks, np.broadcast_to(truth, masks.shape))
    return scores


def _merge(shares: np.ndarray, truth: np.ndarray) -> tuple[float, np.ndarray]:
    """J of the merge of ``(n, H, W)`` shares, and the merge as ``(H, W)`` bool."""
    if not len(shares) or not truth.any():  # nothing is like what is not there
        return float(not truth.any()), np.zeros(truth.shape, bool)
    found = merge_foreground(shares[None], truth)
    return found.iou, found.mean > _MERGED
