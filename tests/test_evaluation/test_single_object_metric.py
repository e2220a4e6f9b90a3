"""The one foreground of a video, scored by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from densecorr.evaluation.metrics.single_object import SingleObjectMetric
from densecorr.structures import FrameCandidates

from .test_discovery_metric import LEFT, NONE, RIGHT, frame, image

TOP = np.arange(4)[:, None].repeat(4, 1) < 2


def score(
    frames: list[FrameCandidates], labels: dict[int, np.ndarray], **options: Any
) -> dict[str, Any]:
    metric = SingleObjectMetric(**options)
    images = [image(t, part) for t, part in labels.items()]
    found = {f'clip/{t}': part for t, part in enumerate(frames)}
    (job,) = metric.jobs(images)
    result = metric.run(job, images, lambda name: found)
    return dict(result, metrics=metric.compute_metrics([result]))


def test_the_best_track_over_annotated_frames() -> None:
    parts = [frame(LEFT, RIGHT, tracks=[1, 2]), frame(TOP, tracks=[1]), frame(LEFT)]
    parts[2] = parts[2]._replace(tracks=np.array([1]))
    found = score(parts, {0: LEFT, 2: LEFT})  # frame 1 has no labels
    assert found['oracle_best'] == [1, 1]
    assert found['track'] == 1
    lost = score([frame(LEFT, tracks=[1]), frame(LEFT, tracks=[2])], {0: LEFT, 1: LEFT})
    assert lost['oracle_best'] == [1, 0]
    assert lost['oracle_merge'] == [1, 1]
    assert lost['metrics'] == {'oracle_best/J-Mean': 0.5, 'oracle_merge/J-Mean': 1.0}


def test_parts_of_the_foreground_are_merged() -> None:
    parts = frame(LEFT & TOP, LEFT & ~TOP, RIGHT, tracks=[1, 2, 3])
    found = score([parts], {0: LEFT})
    assert (found['oracle_best'], found['oracle_merge']) == ([0.5], [1.0])
    void = np.where(RIGHT, 255, LEFT.astype(int))
    assert score([frame(LEFT | RIGHT)], {0: void})['oracle_best'] == [1]
    assert score([frame(LEFT), frame()], {0: LEFT, 1: NONE})['oracle_best'] == [1, 1]


def test_a_video_without_candidates() -> None:
    with pytest.raises(ValueError, match=r"'clip' has no candidate in any frame"):
        score([frame(), frame()], {0: LEFT})
