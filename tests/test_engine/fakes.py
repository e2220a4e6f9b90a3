"""The smallest dataset, tracker and metric that the test loop can run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import torch

from densecorr.registry import DATASETS, METRICS
from densecorr.structures import FrameResult, LabelMap, VideoSample


def fake_video(name: str, num_frames: int, broken: int | None = None) -> VideoSample:
    """Frame ``t`` has grey level ``t``; labels are a square that moves."""

    def read_frame(index: int) -> np.ndarray:
        if index == broken:
            raise ValueError(f'{name}/{index:05d}.jpg is truncated.')
        return np.full((12, 16, 3), index, np.uint8)

    def read_labels(index: int) -> LabelMap:
        labels = np.zeros((12, 16), np.uint8)
        labels[2:6, index % 8 : index % 8 + 4] = 1
        palette = np.zeros((256, 3), np.uint8)
        palette[1] = (10, 200, 30)
        return LabelMap(labels, palette)

    text = f'{name} {num_frames}'
    frames = tuple(range(num_frames))
    return VideoSample(
        name=name,
        frame_names=tuple(f'{t:05d}' for t in frames),
        read_frame=read_frame,
        label_frames=frames,
        read_labels=read_labels,
        first_label_frames=(0,),
        size=(12, 16),
        hash_inputs=lambda: hashlib.sha256(text.encode()).hexdigest(),
    )


@DATASETS.register_module(force=True)
class FakeVideos:
    """Videos by ``{name: number of frames}``."""

    def __init__(self, videos: dict, broken: dict | None = None) -> None:
        self.videos, self.broken = dict(videos), dict(broken or {})
        self.metainfo = dict(name='fake', split='val', complete=True, note='')

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, i: int) -> VideoSample:
        name, num_frames = list(self.videos.items())[i]
        return fake_video(name, num_frames, self.broken.get(name))

    def weights(self) -> list[int]:
        return list(self.videos.values())


class FakeTracker(torch.nn.Module):
    """Repeats the first labels; reads every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def track(self, video: VideoSample) -> Iterator[FrameResult]:
        self.seen.append(video.name)
        first = video.read_labels(0).indices
        for index in range(video.num_frames):
            assert int(video.read_frame(index)[0, 0, 0]) == index
            yield FrameResult(index, first)


@METRICS.register_module(force=True)
class FakeMetric:
    """Share of equal pixels per frame."""

    dataset_meta: dict = {}

    def start(self, video: VideoSample) -> None:
        self.video, self.equal = video.name, []

    def update(self, index: int, pred: np.ndarray, target: np.ndarray | None) -> None:
        if target is not None:
            self.equal.append(float((pred == target).mean()))

    def finish(self) -> dict:
        return dict(video=self.video, equal=self.equal)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        return dict(equal=float(np.mean([x for r in results for x in r['equal']])))

    def tables(self, results: list[dict]) -> dict[str, str]:
        rows = [f'{r["video"]},{float(np.mean(r["equal"])):.6f}\n' for r in results]
        return {'per_video.csv': 'video,equal\n' + ''.join(rows)}


def fake_runner(model: torch.nn.Module | None = None) -> SimpleNamespace:
    """What the loop needs of a Runner."""
    model = FakeTracker() if model is None else model
    return SimpleNamespace(model=model, call_hook=lambda *a, **k: None)
