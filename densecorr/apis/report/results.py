"""What lies in a results folder, read so that a part may be missing or damaged."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from densecorr.apis.report.joint_files import JOINTS_FILE, read_tracked_joints
from densecorr.apis.report.measures import main_measure
from densecorr.structures import VideoSample
from densecorr.utils.images import read_label_map
from densecorr.utils.video_source import frame_order

_PARTS = ('per_joint.csv', 'per_class.csv')


@dataclass(frozen=True)
class Results:
    """The summary files of an evaluation.

    Attributes:
        path: the folder.
        content: of ``metrics.json``; empty where there is none.
        records: content of ``records/<video>.json`` by video.
        table: header and rows of ``per_video.csv``.
        parts: those of ``per_joint.csv`` or ``per_class.csv``.
        archives: names, in the folder, of what a benchmark's server takes.
        yardsticks: by name ``label`` and ``metrics``.
        problems: sentences about files that are there but cannot be read.
    """

    path: Path
    content: Mapping[str, Any]
    records: Mapping[str, Mapping[str, Any]]
    table: tuple[list[str], list[list[str]]]
    yardsticks: Mapping[str, Mapping[str, Any]]
    problems: Sequence[str] = ()
    parts: tuple[list[str], list[list[str]]] = ([], [])
    archives: Sequence[str] = ()

    @property
    def unscored(self) -> bool:
        """Whether the run is finished and nothing in it could be scored."""
        return bool(self.content) and self.content.get('metrics') == {}


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
    table = read_table(path / 'per_video.csv')
    tables = [read_table(path / name) for name in _PARTS]
    parts = next((found for found in tables if found[1]), ([], []))
    zips = sorted((path / 'submission').glob('[!.]*.zip'))
    archives = tuple(file.relative_to(path).as_posix() for file in zips)
    return Results(path, content, records, table, yardsticks, problems, parts, archives)


@dataclass(frozen=True)
class VideoFiles:
    """What is known about one video; each of the three sources may be missing.

    Attributes:
        out: the results folder.
        name: of the video.
        frame_names: in time order, of the dataset, or else of the predictions.
        sample: from the dataset; None where it is not there any more.
        scores: of its record: what the first metric with numbers per frame finished
            with, or empty.
        measure: name of the number in ``frame_scores`` of the record.
        thing: what is tracked: ``'object'``, ``'part'`` (a class) or ``'joint'``.
        names: of the joints, or of the classes with the background first, if known.
    """

    out: Path
    name: str
    frame_names: tuple[str, ...]
    sample: VideoSample | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)
    measure: str = 'score'
    thing: str = 'object'
    names: tuple[str, ...] = ()

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
        try:
            label_map, _ = read_label_map(self._label_file(index))
        except (ValueError, OSError):
            return None
        pairs = {o['proposal']: o['object'] for o in self.objects if 'proposal' in o}
        if all(proposal == number for proposal, number in pairs.items()):
            return label_map
        table = np.zeros(256, np.uint8)
        table[list(pairs)] = list(pairs.values())
        return table[label_map]

    @functools.cached_property
    def tracked(self) -> np.ndarray | None:
        """``(t, j, 2)`` predicted joints of all frames; None where there is no file."""
        joints = read_tracked_joints(self.out / 'predictions' / self.name / JOINTS_FILE)
        if joints is None or len(joints) != len(self.frame_names):
            return None
        return joints

    @property
    def has_joints(self) -> bool:
        """Whether the video has joints, and no label maps."""
        if self.sample is not None:
            return self.sample.read_joints is not None
        return self.tracked is not None

    @property
    def num_joints(self) -> int:
        """Number of joints, 0 where there are label maps."""
        if self.thing != 'joint':
            return 0
        return len(self.names) if self.tracked is None else self.tracked.shape[1]

    def joints(self, index: int) -> np.ndarray | None:
        """``(j, 2)`` predicted joints, NaN where lost, or None where unknown."""
        return None if self.tracked is None else self.tracked[index]

    def true_joints(self, index: int) -> np.ndarray | None:
        """``(j, 2)`` annotated joints, or None where there are none."""
        sample = self.sample
        if sample is None or sample.read_joints is None:
            return None
        if index not in sample.label_frames:
            return None
        try:
            return sample.read_joints(index)
        except (ValueError, KeyError, OSError):
            return None

    @property
    def is_compared(self) -> bool:
        """Whether there are labels of other frames than those that were given."""
        sample = self.sample
        if sample is None:
            return False
        return bool(set(sample.label_frames) - set(sample.first_label_frames))

    def predicted_frames(self) -> list[int]:
        """Numbers of the frames that have a prediction."""
        frames = range(len(self.frame_names))
        if self.has_joints:
            return [] if self.tracked is None else list(frames)
        return [index for index in frames if self._label_file(index).is_file()]

    @property
    def objects(self) -> Sequence[Mapping[str, Any]]:
        """Objects with their J and F per scored frame."""
        return self.scores.get('objects', ())

    def _label_file(self, index: int) -> Path:
        name = f'{self.frame_names[index]}.png'
        return self.out / 'predictions' / self.name / name


def video_files(results: Results, dataset: Any) -> list[VideoFiles]:
    """The videos of the dataset, of the table and of the records, each once.

    Args:
        results: the folder.
        dataset: of :class:`VideoSample`; None where it is not there any more.
    """
    samples = {sample.name: sample for sample in _samples(dataset)}
    rows = [row[0] for row in results.table[1] if row]
    facts = results.content.get('dataset') or getattr(dataset, 'metainfo', None) or {}
    measure = main_measure(results.content.get('metrics') or {}) or 'score'
    return [
        _video(results, name, samples.get(name), measure, facts)
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


def _video(
    results: Results,
    name: str,
    sample: VideoSample | None,
    measure: str,
    facts: Mapping[str, Any],
) -> VideoFiles:
    """Files of one video; ``facts`` are those of the dataset."""
    finished = results.records.get(name, {}).get('results', [])
    found = [result for result in finished if isinstance(result, Mapping)]
    scores: Mapping[str, Any] = next(
        (r for r in found if r.get('objects') or r.get('frame_scores')), {}
    )
    names = sample.frame_names if sample is not None else ()
    if not names:
        names = _frames_of_files(results.path / 'predictions' / name, scores)
    files = VideoFiles(results.path, name, names, sample, scores, measure)
    if files.has_joints:
        return replace(files, thing='joint', names=tuple(facts.get('joint_names', ())))
    if facts.get('classes'):
        return replace(files, thing='part', names=tuple(facts['classes']))
    return files


def _frames_of_files(folder: Path, scores: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of frames in time order, by the predictions and the record."""
    stems = {p.stem for p in folder.glob('*.png') if not p.name.startswith('.')}
    stems |= {str(name) for name in scores.get('frames', ())}
    names = tuple(sorted(stems, key=frame_order))
    joints = read_tracked_joints(folder / JOINTS_FILE)
    if joints is None or len(joints) == len(names):
        return names
    return tuple(f'{number:05d}' for number in range(1, len(joints) + 1))  # as JHMDB


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


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a csv file, as text; empty where there is none."""
    if not path.is_file():
        return [], []
    rows = list(csv.reader(io.StringIO(path.read_text(encoding='utf-8'))))
    return (rows[0], rows[1:]) if rows else ([], [])
