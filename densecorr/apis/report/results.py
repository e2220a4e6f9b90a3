"""What lies in a results folder, read so that a part may be missing or damaged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.structures import VideoSample
from densecorr.utils.images import read_label_map
from densecorr.utils.video_source import frame_order


@dataclass(frozen=True)
class Results:
    """The summary files of an evaluation.

    Attributes:
        path: the folder.
        content: of ``metrics.json``; empty where there is none.
        records: content of ``records/<video>.json`` by video.
        table: header and rows of ``per_video.csv``.
        yardsticks: by name ``label`` and ``metrics``.
        problems: sentences about files that are there but cannot be read.
    """

    path: Path
    content: Mapping[str, Any]
    records: Mapping[str, Mapping[str, Any]]
    table: tuple[list[str], list[list[str]]]
    yardsticks: Mapping[str, Mapping[str, Any]]
    problems: Sequence[str] = ()


def read_results(path: str | Path, content: Mapping[str, Any] | None = None) -> Results:
    """Read the summary files of a folder.

    Args:
        path: the results folder.
        content: of ``metrics.json`` where the caller has it.
    """
    path, problems = Path(path), list[str]()
    if content is None:
        content = _read_json(path / 'metrics.json', 'metrics.json', problems)
    records = {}
    for file in sorted((path / 'records').rglob('*.json')):
        name = file.relative_to(path / 'records').with_suffix('').as_posix()
        record = _read_json(file, f'records/{name}.json', problems)
        if isinstance(record.get('results'), list):
            records[name] = record
    found = _read_json(path / 'yardsticks.json', 'yardsticks.json', problems)
    yardsticks = {
        name: entry
        for name, entry in found.get('yardsticks', {}).items()
        if isinstance(entry, Mapping) and isinstance(entry.get('metrics'), Mapping)
    }
    table = _read_table(path / 'per_video.csv')
    return Results(path, content, records, table, yardsticks, problems)


@dataclass(frozen=True)
class VideoFiles:
    """What is known about one video; each of the three sources may be missing.

    Attributes:
        out: the results folder.
        name: of the video.
        frame_names: in time order, of the dataset, or else of the predictions.
        sample: from the dataset; None where it is not there any more.
        scores: of its record: what the first metric with objects finished with, or
            empty.
    """

    out: Path
    name: str
    frame_names: tuple[str, ...]
    sample: VideoSample | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)

    def image(self, index: int) -> np.ndarray | None:
        """``(H, W, 3)`` uint8 RGB frame, or None where it cannot be read."""
        if self.sample is None:
            return None
        try:
            return self.sample.read_frame(index)
        except (ValueError, OSError):
            return None

    def truth(self, index: int) -> np.ndarray | None:
        """``(H, W)`` annotated labels, or None where there are none."""
        if self.sample is None or index not in self.sample.label_frames:
            return None
        try:
            return self.sample.read_labels(index).indices
        except (ValueError, KeyError, OSError):
            return None

    def prediction(self, index: int) -> np.ndarray | None:
        """``(H, W)`` predicted object numbers, or None where there is no file.

        Proposals of the unsupervised task get the number of the object that they were
        assigned to; those that were assigned to none stay out.
        """
        path = self.out / 'predictions' / self.name / f'{self.frame_names[index]}.png'
        try:
            label_map, _ = read_label_map(path)
        except (ValueError, OSError):
            return None
        pairs = {o['proposal']: o['object'] for o in self.objects if 'proposal' in o}
        if all(proposal == number for proposal, number in pairs.items()):
            return label_map
        table = np.zeros(256, np.uint8)
        table[list(pairs)] = list(pairs.values())
        return table[label_map]

    @property
    def objects(self) -> Sequence[Mapping[str, Any]]:
        """Objects with their J and F per scored frame."""
        return self.scores.get('objects', ())


def video_files(results: Results, dataset: Any) -> list[VideoFiles]:
    """The videos of the dataset, of the table and of the records, each once.

    Args:
        results: the folder.
        dataset: of :class:`VideoSample`; None where it is not there any more.
    """
    samples = {sample.name: sample for sample in _samples(dataset)}
    rows = [row[0] for row in results.table[1] if row]
    return [
        _video(results, name, samples.get(name))
        for name in dict.fromkeys([*samples, *rows, *results.records])
    ]


def _samples(dataset: Any) -> list[VideoSample]:
    """Videos of the dataset that can be opened."""
    found = []
    for index in range(0 if dataset is None else len(dataset)):
        try:
            found.append(dataset[index])
        except (ValueError, OSError):
            continue
    return found


def _video(results: Results, name: str, sample: VideoSample | None) -> VideoFiles:
    finished = results.records.get(name, {}).get('results', [])
    scored = (r for r in finished if isinstance(r, Mapping) and r.get('objects'))
    scores = next(scored, {})
    if sample is not None:
        names = sample.frame_names
    else:
        written = (results.path / 'predictions' / name).glob('*.png')
        stems = {p.stem for p in written if not p.name.startswith('.')}
        names = tuple(sorted(stems | set(scores.get('frames', ())), key=frame_order))
    return VideoFiles(results.path, name, names, sample, scores)


def _read_json(path: Path, name: str, problems: list[str]) -> dict[str, Any]:
    """Content of a file; empty where there is none, or where it is damaged."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, OSError):
        content = None
    if not isinstance(content, dict):
        problems.append(
            f'{name} is damaged and was left out. Remove it and run the evaluation '
            'again: finished videos are not computed anew.'
        )
        return {}
    return content


def _read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a csv file, as text; empty where there is none."""
    if not path.is_file():
        return [], []
    rows = list(csv.reader(io.StringIO(path.read_text(encoding='utf-8'))))
    return (rows[0], rows[1:]) if rows else ([], [])
