"""Scores of candidates by hand, and candidates that cannot be scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from densecorr.evaluation.metrics.candidate_tracks import enlarged
from densecorr.evaluation.metrics.discovery import DiscoveryMetric
from densecorr.structures import FrameCandidates, LabelledImage, LabelMap

LEFT, RIGHT = np.zeros((2, 4, 4), bool)
LEFT[:, :2], RIGHT[:, 2:] = True, True
NONE = np.zeros((4, 4), bool)
SCORES = ('per_frame_oracle', 'davis')


def image(t: int, labels: np.ndarray) -> LabelledImage:
    def read_labels() -> LabelMap:
        return LabelMap(labels.astype(np.uint8), None)

    def read_image() -> np.ndarray:
        return np.zeros((*labels.shape, 3), np.uint8)

    return LabelledImage(f'clip/{t}', 'clip', read_image, read_labels, lambda: '')


def frame(*masks: np.ndarray, tracks: list[int] | None = None) -> FrameCandidates:
    stack = np.array(masks, bool).reshape(-1, 4, 4)
    owners = np.full((4, 4), -1)
    for number, mask in enumerate(stack):
        owners[mask] = number
    return FrameCandidates(
        'slots',
        stack,
        stack.astype(np.float32),
        owners,
        np.eye(8, dtype=np.float32)[: len(stack)],
        None if tracks is None else np.array(tracks),
    )


def score(
    frames: list[FrameCandidates], labels: list[np.ndarray], **options: Any
) -> dict[str, Any]:
    metric = DiscoveryMetric(**options)
    images = [image(t, part) for t, part in enumerate(labels)]
    found = {f'clip/{t}': part for t, part in enumerate(frames)}
    (job,) = metric.jobs(images)
    result = metric.run(job, images, lambda name: found)
    return dict(result, metrics=metric.compute_metrics([result]))


def test_candidates_that_change_places_lose_by_davis_alone() -> None:
    labels = [enlarged((LEFT + 2 * RIGHT).astype(np.uint8), (8, 8))] * 2
    frames = [frame(LEFT, RIGHT, tracks=[1, 2]), frame(LEFT, RIGHT, tracks=[2, 1])]
    found = score(frames, labels)
    first = found['objects'][0]
    assert first['per_frame_oracle']['J'] == [1, 1]
    assert first['davis']['J'] == [1, 0]
    assert found['metrics']['per_frame_oracle/J&F-Mean'] == 1
    assert found['metrics']['davis/J-Mean'] == 0.5
    # without tracks equal slots of two frames are one object
    linked = score([frame(LEFT, RIGHT), frame(LEFT, RIGHT)], labels)
    assert linked['metrics']['davis/J&F-Mean'] == 1


def test_void_and_frames_without_candidates() -> None:
    labels = np.where(RIGHT, 255, LEFT.astype(int))
    found = score([frame(LEFT | RIGHT), frame()], [labels, labels])
    for name in SCORES:
        assert found['objects'][0][name]['J'] == [1, 0]
    gone = score([frame(LEFT), frame()], [LEFT, NONE])
    for name in SCORES:
        assert gone['objects'][0][name]['J'] == [1, 1]  # nothing there, nothing said


def test_masks_are_enlarged_by_nearest() -> None:
    large = enlarged(LEFT[None], (8, 6))
    assert large.dtype == bool
    assert (large[0] == (np.arange(6) < 3)).all()
    assert enlarged(np.zeros((0, 4, 4), bool), (8, 6)).shape == (0, 8, 6)


def test_candidates_that_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match=r"for frame 'clip/1' and 0 others.*another d"):
        score([frame(LEFT)], [LEFT, LEFT])
    with pytest.raises(ValueError, match=r"'clip/0' have the track 3; proposals with"):
        score([frame(LEFT, LEFT, tracks=[3, 3])], [LEFT])
    with pytest.raises(ValueError, match=r"'clip/0' has 2 candidates, max_candidates"):
        score([frame(LEFT, RIGHT)], [LEFT], max_candidates=1)
    with pytest.raises(ValueError, match=r'none of 1 videos has an object in its'):
        score([frame(LEFT)], [NONE])
    with pytest.raises(ValueError, match=r'max_proposals is 21; by the protocol davis'):
        DiscoveryMetric(max_proposals=21)
    with pytest.raises(ValueError, match=r'linker is 2; give a cosine'):
        DiscoveryMetric(linker=2)
