"""Votes of the worst frame of each video, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from densecorr.engine.look_ahead import LookAhead
from densecorr.engine.progress import FrameProgress
from densecorr.engine.test_loop import deal_videos
from densecorr.propagation.votes import votes_of
from densecorr.structures import VideoSample

FOLDER = 'votes'


def frame_means(result: Mapping[str, Any]) -> dict[str, float]:
    """Score of every frame of a video, by frame name; those that count only.

    It is the mean of J and F over the objects, each in the frames in which its scores
    are not None; without objects it is that of ``frame_scores``.

    Args:
        result: what a metric finished with, of a record an entry of ``results``:
            ``frames`` (names), and ``objects`` with ``J`` and ``F`` per frame or
            ``frame_scores``.
    """
    objects, names = result.get('objects', ()), result.get('frames', ())
    if not objects:
        scores = zip(names, result.get('frame_scores', ()), strict=False)
        return {name: score for name, score in scores if score is not None}
    means = {}
    for place, name in enumerate(names):
        pairs = [(item['J'][place], item['F'][place]) for item in objects]
        known = [(j + f) / 2 for j, f in pairs if None not in (j, f)]
        if known:
            means[name] = sum(known) / len(known)
    return means


def stored_frame(video: VideoSample, results: Sequence[Mapping[str, Any]]) -> int:
    """The frame whose votes are kept: the worst scored one, or else the last written.

    Args:
        video: the video.
        results: what its metrics finished with.

    Returns:
        a frame number after the first labels; -1 where there is none.
    """
    start = video.first_label_frames[0]
    numbers = {name: index for index, name in enumerate(video.frame_names)}
    scores = {
        numbers[name]: score
        for result in results
        for name, score in frame_means(result).items()
        if numbers[name] > start
    }
    if scores:
        return min(scores, key=lambda index: (scores[index], index))
    return max((index for index in video.result_frames if index > start), default=-1)


@torch.inference_mode()
def write_votes(loop: Any, rank: int, world_size: int) -> None:
    """Write ``votes/<video>.npz`` for this process's share of the videos.

    Files that exist stay: they belong to the run whose records lie beside them.

    Args:
        loop: the finished :class:`densecorr.engine.test_loop.VideoTestLoop`.
        rank: of this process.
        world_size: number of processes.
    """
    tracker, dataset = loop.runner.model.eval(), loop.dataset
    share = deal_videos(dataset.weights(), world_size)[rank]
    missing = []
    for i in share:
        path = Path(loop.out_dir) / FOLDER / f'{dataset[i].name}.npz'
        if not path.is_file():
            missing.append((i, path))
    if not missing:
        return
    print_log('votes for the worst frame of each video', logger='current')
    with FrameProgress(len(missing), 'votes', visible=rank == 0) as progress:
        for i, path in missing:
            with LookAhead(dataset[i]) as video:
                frame = stored_frame(video, loop.results[i])
                if frame >= 0:
                    votes_of(tracker, video, frame).save(path)
            progress.advance()
