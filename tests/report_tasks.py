"""Results folders of joints, parts and late objects, for tests of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.datasets.jhmdb import JOINT_NAMES
from densecorr.engine.records import ResultFolder
from densecorr.engine.writers import JointWriter
from densecorr.evaluation.metrics import PartsMetric, PCKMetric, YouTubeVOSMetric
from densecorr.evaluation.metrics.base import VideoMetric
from densecorr.structures import JointResult, LabelMap, VideoSample
from densecorr.utils.data_info import load_data_info
from densecorr.utils.images import write_label_map

from .report_tree import some_votes

SIZE = (96, 160)
LOST = (4, 11)  # frame and joint, the right wrist
FAR = (3, 2)  # frame and joint, the face, which is predicted 40 pixels to the right
CLASSES = load_data_info('vip').classes


class Videos:
    """Videos in memory, as a dataset gives them."""

    def __init__(self, videos: Sequence[VideoSample], **facts: Any) -> None:
        self.videos = list(videos)
        self.metainfo = dict(name='Made up', split='val', note='', **facts)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoSample:
        return self.videos[index]


def write_run(
    out: Path,
    dataset: Videos,
    metric: VideoMetric,
    predict: Any,
    task: str,
) -> dict[str, Any]:
    """Files of a run; returns the content of its ``metrics.json``.

    Args:
        out: folder.
        dataset: its videos.
        metric: that scores them.
        predict: video and frame to label map or joints.
        task: name.
    """
    folder, finished = ResultFolder(out, dict(task=task)), []
    metric.dataset_meta = dataset.metainfo
    for video in dataset.videos:
        metric.start(video)
        writer = JointWriter(folder, video)
        for index in range(video.num_frames):
            pred, truth = predict(video, index), None
            if video.read_joints is not None:
                writer.write(JointResult(index, pred), None)
                truth = video.read_joints(index)
            else:
                if index in video.result_frames:
                    write_label_map(folder.frame_path(video, index), pred)
                if index in video.label_frames:
                    truth = video.read_labels(index).indices
            metric.update(index, pred, truth)
        if video.read_joints is not None:
            writer.finish()
        finished += folder.save(video, [metric.finish()])
        votes = some_votes(video.num_frames - 1, video.size)
        votes.save(out / 'votes' / f'{video.name}.npz')
    content = dict(
        schema=1,
        metrics=metric.compute_metrics(finished),
        dataset=dataset.metainfo,
        num_videos=len(dataset),
        task=task,
        config='made_up',
        fingerprint=folder.fingerprint,
    )
    for name, text in metric.tables(finished).items():
        (out / name).write_text(text, encoding='utf-8')
    folder.write_json('metrics.json', content)
    return content


def sample(name: str, num_frames: int, **fields: Any) -> VideoSample:
    """A video of textured frames; ``fields`` are further ones of a sample."""
    rng = np.random.default_rng(0)
    frame = rng.integers(60, 120, (*SIZE, 3)).astype(np.uint8)

    def no_labels(index: int) -> LabelMap:
        raise KeyError(f'frame {index} has no labels.')

    given = dict(
        name=name,
        frame_names=tuple(f'{t + 1:05d}' for t in range(num_frames)),
        read_frame=lambda t: frame,
        label_frames=tuple(range(num_frames)),
        read_labels=no_labels,
        first_label_frames=(0,),
        size=SIZE,
        hash_inputs=lambda: name,
    )
    return VideoSample(**{**given, **fields})


def joint_run(out: Path, clips: Sequence[str]) -> tuple[dict[str, Any], Videos]:
    """Clips of a person who walks to the right; predictions are half a pixel off.

    In frame ``FAR`` a joint is far from its place, in frame ``LOST`` one is lost.
    """
    body = np.stack([np.arange(15) * 3.0 + 20, np.arange(15) * 5.0 + 10], 1)

    def truth(index: int) -> np.ndarray:
        return body + np.array([4.0 * index, 0])

    def predict(video: VideoSample, index: int) -> np.ndarray:
        joints = truth(index) + np.array([0.5, 0])
        if index == LOST[0]:
            joints[LOST[1]] = np.nan
        if index == FAR[0]:
            joints[FAR[1]] += (40, 0)
        return joints

    videos = [sample(name, 6, read_joints=truth) for name in clips]
    dataset = Videos(videos, joint_names=list(JOINT_NAMES))
    return write_run(out, dataset, PCKMetric(), predict, 'jhmdb'), dataset


def part_run(out: Path) -> tuple[dict[str, Any], Videos]:
    """A video of four parts, three of one colour; a prediction moves with time."""
    labels = np.zeros(SIZE, np.uint8)
    for place, label in enumerate((1, 8, 15, 3)):
        labels[10:60, 10 + 30 * place : 40 + 30 * place] = label
    labels[80:, :20] = 255

    def predict(video: VideoSample, index: int) -> np.ndarray:
        return np.roll(np.where(labels == 255, 0, labels), index, axis=1)

    videos = [sample('walk', 6, read_labels=lambda t: LabelMap(labels))]
    dataset = Videos(videos, classes=list(CLASSES))
    return write_run(out, dataset, PartsMetric(), predict, 'vip'), dataset


def late_run(
    out: Path, scored: bool, written: tuple[int, ...] | None = None
) -> tuple[dict[str, Any], Videos]:
    """A video with a second object from frame 3 on, annotated where ``scored``."""
    whole = np.zeros(SIZE, np.uint8)
    whole[10:40, 10:60], whole[50:80, 80:140] = 1, 2

    def labels(index: int) -> LabelMap:
        if scored:
            return LabelMap(whole if index >= 3 else np.where(whole == 2, 0, whole))
        return LabelMap(np.where(whole == (1 if index == 0 else 2), whole, 0))

    def predict(video: VideoSample, index: int) -> np.ndarray:
        moved = np.roll(whole, index, axis=1)
        return moved if index >= 3 else np.where(moved == 2, 0, moved)

    fields: Mapping[str, Any] = dict(
        label_frames=tuple(range(9)) if scored else (0, 3),
        first_label_frames=(0, 3),
        read_labels=labels,
        categories={1: 'cat', 2: 'skateboard'},
        written_frames=written,
    )
    dataset = Videos([sample('pets', 9, **fields)])
    content = write_run(out, dataset, YouTubeVOSMetric(), predict, 'ytvos18')
    return content, dataset
