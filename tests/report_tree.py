"""Results folders with known content, for tests of the report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.datasets import DAVISDataset
from densecorr.engine.records import ResultFolder
from densecorr.evaluation.metrics import VOSMetric
from densecorr.propagation.votes import Votes
from densecorr.utils.images import write_label_map

from .trees import write_davis_tree

PROTOCOL = dict(
    reader='opencv',
    size=dict(rounding='nearest'),
    resizer='opencv',
    labels=dict(encode='bilinear', decode='bilinear', first_output='decoded'),
    context=dict(num_frames=20, first='global', repeat_first=True),
    window=dict(shape='circle', radius=12, inclusive=False),
    select=dict(topk=10, temperature=0.05),
)
YARDSTICKS = dict(copy=0.25, ceiling=0.95, random=0.125)
STRIDE = 8


def moved(label_map: np.ndarray, step: int) -> np.ndarray:
    """A prediction that is wrong: the truth, some columns to the right."""
    return np.roll(label_map, step, axis=1)


def write_results(
    folder: Path, videos: Mapping[str, int], **tree: Any
) -> tuple[Path, dict[str, Any], DAVISDataset]:
    """A DAVIS tree, and the folder of an evaluation that got worse with time.

    Args:
        folder: gets ``DAVIS`` and ``out``.
        videos: name to number of frames.
        tree: arguments of :func:`write_davis_tree`.

    Returns:
        the results folder, the content of its ``metrics.json``, the dataset.
    """
    root = write_davis_tree(folder / 'DAVIS', videos, **tree)
    out, dataset = folder / 'out', DAVISDataset(root=root)
    fingerprint = dict(
        task='davis',
        protocol=dict(name='crw', revision=1, davis=PROTOCOL),
        model=dict(type='VideoTracker'),
    )
    metric, results = VOSMetric(skip_ends=False), ResultFolder(out, fingerprint)
    metric.dataset_meta = dataset.metainfo
    finished = []
    for video in (dataset[i] for i in range(len(dataset))):
        metric.start(video)
        labels = video.read_labels(video.label_frames[0])
        for index in range(video.num_frames):
            if index in video.label_frames:
                labels = video.read_labels(index)
            pred = moved(labels.indices, index)
            write_label_map(results.frame_path(video, index), pred, labels.palette)
            if index in video.label_frames:
                metric.update(index, pred, labels.indices)
        finished += results.save(video, [metric.finish()])
        if video.num_frames > 1:
            some_votes(video.num_frames - 1, video.size).save(
                out / 'votes' / f'{video.name}.npz'
            )
    for name, text in metric.tables(finished).items():
        (out / name).write_text(text, encoding='utf-8')
    content = dict(
        schema=1,
        metrics=metric.compute_metrics(finished),
        dataset=dataset.metainfo,
        num_videos=len(dataset),
        num_frames=sum(dataset.weights()),
        task='davis',
        config='crw_res18',
        protocol=dict(
            name='crw', revision=1, published_stride=8, stride=STRIDE, note=''
        ),
        fingerprint=fingerprint,
    )
    results.write_json('metrics.json', content)
    write_yardsticks(out, content['metrics'])
    (out / 'config.py').write_text(
        f'test_dataset = dict(type="DAVISDataset", root={str(root)!r})\n'
    )
    return out, content, dataset


def write_yardsticks(out: Path, metrics: Mapping[str, float]) -> None:
    """``yardsticks.json`` with one value per yardstick for every measure."""
    found = {
        name: dict(label=f'the {name} label', metrics=dict.fromkeys(metrics, value))
        for name, value in YARDSTICKS.items()
    }
    text = json.dumps(dict(schema=1, yardsticks=found))
    (out / 'yardsticks.json').write_text(text)


def some_votes(frame: int, size: tuple[int, int], voters: int = 10) -> Votes:
    """Votes of every second cell: drawn cells, with one that has two copies."""
    grid = (size[0] // STRIDE, size[1] // STRIDE)
    rng = np.random.default_rng(frame)
    frames = np.arange(max(0, frame - 20), frame, dtype=np.int32)
    cells = grid[0] * grid[1]
    queries = np.arange(cells, dtype=np.int32).reshape(grid)[::2, ::2].ravel()
    shape = (len(queries), voters)
    position = rng.integers(0, len(frames) * cells, shape).astype(np.int32)
    position[:, 1] = position[:, 0]
    weight = np.exp(rng.normal(size=shape))
    weight[:, -1] = 0  # a slot that nobody took
    weight = -np.sort(-weight / weight.sum(1, keepdims=True), axis=1)
    return Votes(
        frame=frame,
        grid=grid,
        cell=(float(STRIDE), float(STRIDE)),
        step=2,
        queries=queries,
        frames=frames,
        position=position,
        weight=weight.astype(np.float16),
    )


def voters_of(votes: Votes, query: int) -> list[tuple[int, int, int, float]]:
    """Frame, row, column and weight of the voters of a query, strongest first."""
    cells = votes.grid[0] * votes.grid[1]
    found: dict[int, float] = {}
    for position, weight in zip(
        votes.position[query].tolist(), votes.weight[query].tolist(), strict=True
    ):
        if weight > 0:
            found[position] = found.get(position, 0.0) + weight
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0] // cells))
    return [
        (int(votes.frames[p // cells]), *divmod(p % cells, votes.grid[1]), weight)
        for p, weight in ordered
    ]
