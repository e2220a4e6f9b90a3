"""Discovery of objects that nobody named, by two scores that are never mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from densecorr.evaluation.functional.boundary import BOUND_TH
from densecorr.evaluation.functional.davis import mask_scores, pair_scores
from densecorr.evaluation.functional.discovery import (
    MAX_PROPOSALS,
    Matched,
    exclusive_map,
    largest_tracks,
    match_per_frame,
    match_per_sequence,
)
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
from densecorr.evaluation.metrics.discovery_views import (
    image_rows,
    keep_views,
    object_csv,
    score_csv,
    summary,
)
from densecorr.evaluation.metrics.seg_tables import check_pictures, per_image_csv
from densecorr.registry import METRICS
from densecorr.structures import LabelledImage

ORACLE, DAVIS = 'per_frame_oracle', 'davis'
_Scores = tuple[np.ndarray, np.ndarray]


class Found(NamedTuple):
    """What the objects of a video got.

    Attributes:
        objects: their number k.
        matched: by score; ``proposals`` of ``per_frame_oracle`` are places among the
            candidates of a frame, of ``davis`` numbers of proposals less 1.
        kept: ``(m,)`` tracks that are proposals 1 to m of ``davis``.
    """

    objects: int
    matched: dict[str, Matched]
    kept: np.ndarray


@METRICS.register_module()
class DiscoveryMetric:
    """J and F of candidates that nobody named, by two scores.

    ``per_frame_oracle``: in every frame the annotation chooses a candidate for each
    object anew, an upper bound. ``davis``: at most 20 proposals that share no pixel,
    one assignment for the whole video. A pixel belongs to the candidate with the
    largest share among those whose masks have it; proposals are the tracks with most
    pixels. The objects are those of the first labelled frame; void does not count.

    Args:
        linker: candidates of consecutive frames are one track from this cosine of
            their slots on.
        max_candidates: of a frame.
        max_proposals: of a video, by ``davis``.
        bound_th: tolerance of F, see
            :func:`densecorr.evaluation.functional.boundary.boundary_tolerance`.
        pictures: frames of a video whose maps are kept for the report, evenly spaced.

    Reference: Caelles et al., arXiv:1905.00737, for ``davis``; official
        shvdiwnkozbw/SMTC for ``per_frame_oracle``.
    """

    dataset_meta: Mapping[str, Any] | None = None
    out_dir: str | None = None

    def __init__(
        self,
        linker: float = 0.5,
        max_candidates: int = 300,
        max_proposals: int = MAX_PROPOSALS,
        bound_th: float = BOUND_TH,
        pictures: int = 32,
    ) -> None:
        if not -1 <= linker <= 1:
            raise ValueError(f'linker is {linker}; give a cosine, -1 to 1.')
        if not 1 <= max_proposals <= MAX_PROPOSALS:
            raise ValueError(
                f'max_proposals is {max_proposals}; by the protocol davis it is 1 to '
                f'{MAX_PROPOSALS}.'
            )
        self.linker, self.max_candidates = linker, max_candidates
        self.max_proposals, self.bound_th = max_proposals, bound_th
        self.pictures = check_pictures(pictures)

    def jobs(self, images: Sequence[LabelledImage]) -> list[VideoJob]:
        """A job for every video."""
        return video_jobs(images)

    def run(
        self, job: VideoJob, images: Sequence[LabelledImage], maps: Candidates
    ) -> dict[str, Any]:
        """Score a video: plain values that JSON can hold.

        Args:
            job: of :meth:`jobs`.
            images: the dataset.
            maps: candidates of all frames of a video, by its name.

        Returns:
            ``video``, ``frames`` (names of those that count), ``candidates`` (their
            kind), ``per_frame`` (their mean number), ``proposals`` (number by
            ``davis``) and ``objects``: ``object`` and by score ``J`` and ``F`` per
            frame.

        Raises:
            ValueError: candidates and frames do not fit; names the frame.
        """
        members = [images[i] for i in job.images]
        video = tracked(maps, members, self.linker, self.max_candidates)
        found = self._match(video, members)
        if self.out_dir is not None and self.pictures and found.objects:
            keep_views(self.out_dir, members, video, found, self.pictures)
        series = [
            dict(
                object=k + 1,
                **{
                    name: dict(J=m.region[k].tolist(), F=m.boundary[k].tolist())
                    for name, m in found.matched.items()
                },
            )
            for k in range(found.objects)
        ]
        return dict(
            video=job.name,
            frames=[image.name for image in members],
            candidates=video.frames[0].kind,
            per_frame=float(np.mean([len(frame.masks) for frame in video.frames])),
            proposals=len(found.kept),
            objects=series,
        )

    def compute_metrics(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """J and F by score, means over objects; ``discovery.csv`` has all statistics.

        Raises:
            ValueError: no video has an object.
        """
        return summary(results, (ORACLE, DAVIS))

    def tables(self, results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """``discovery.csv``, ``per_object.csv`` and ``per_image.csv``."""
        return {
            'discovery.csv': score_csv(results, (ORACLE, DAVIS)),
            'per_object.csv': object_csv(results, (ORACLE, DAVIS)),
            'per_image.csv': per_image_csv(image_rows(results, (ORACLE, DAVIS))),
        }

    def _match(self, video: Tracked, images: Sequence[LabelledImage]) -> Found:
        areas = [
            np.bincount(frame.owners[frame.owners >= 0], minlength=len(frame.masks))
            for frame in video.frames
        ]
        kept = largest_tracks(video.tracks, areas, self.max_proposals)
        first = images[0].read_labels().indices
        number = int(np.where(first == VOID, 0, first).max())
        if not number:
            return Found(0, {}, kept)
        oracle: list[_Scores] = []
        davis: list[_Scores] = []
        for image in images:
            labels = image.read_labels().indices
            try:
                oracle.append(self._candidate_scores(video, image.name, labels, number))
            except ValueError as error:
                raise ValueError(f'{image.name}: {error}') from error
            proposals = proposal_map(video, image.name, size_of(labels), kept)
            rows = range(1, max(len(kept), number) + 1)
            void = labels == VOID
            target = np.where(void, 0, labels)
            davis.append(
                pair_scores(
                    proposals, target, rows, range(1, number + 1), void, self.bound_th
                )
            )
        matched = {
            ORACLE: match_per_frame(*_stacked(_padded(oracle, number))),
            DAVIS: match_per_sequence(*_stacked(davis)),
        }
        return Found(number, matched, kept)

    def _candidate_scores(
        self, video: Tracked, name: str, labels: np.ndarray, number: int
    ) -> _Scores:
        """J and F of the candidates of a frame, and of an empty one behind them."""
        size = size_of(labels)
        masks = enlarged(video.of(name)[0].masks, size)
        masks = np.concatenate([masks, np.zeros((1, *size), bool)])
        objects = labels == np.arange(1, number + 1)[:, None, None]
        return mask_scores(masks, objects, labels == VOID, self.bound_th)


def proposal_map(
    video: Tracked, name: str, size: tuple[int, int], kept: np.ndarray
) -> np.ndarray:
    """Proposals of a frame that share no pixel, ``(H, W)`` uint8, 0 is none."""
    frame, tracks = video.of(name)
    return enlarged(exclusive_map(frame.owners, tracks, kept), size)


def _padded(scores: Sequence[_Scores], number: int) -> list[_Scores]:
    """As many rows in every frame, at least ``number``: copies of the last one."""
    rows = max(number, *(len(region) - 1 for region, _ in scores))
    padded = []
    for pair in scores:
        parts = []
        for part in pair:
            missing = rows - (len(part) - 1)
            parts.append(np.concatenate([part[:-1], part[-1:].repeat(missing, 0)]))
        padded.append((parts[0], parts[1]))
    return padded


def _stacked(scores: Sequence[_Scores]) -> _Scores:
    """``(n, k, t)`` each."""
    region, boundary = (np.stack(part, -1) for part in zip(*scores, strict=True))
    return region, boundary
