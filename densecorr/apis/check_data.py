"""Compare a dataset root on disk with the facts of ``data/data_info``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from densecorr.utils.data_info import DataInfo, SequenceInfo, find_root, load_data_info
from densecorr.utils.images import image_size, read_image, read_label_map
from densecorr.utils.video_source import list_frames

_T = TypeVar('_T')
_SHOWN = 6  # names in one line
_VOID = 255
_BINARY_YEAR = '2016'
_FIRST_LABELS_ONLY = ('test-dev', 'test-challenge')  # the others are not published


@dataclass
class SplitCheck:
    """What was found of one split.

    Attributes:
        name: ``'<year>/<split>'``.
        sequences: expected and found sequences.
        frames: expected and found frames.
        missing: sequences that are not there.
        problems: everything else that is wrong, one line each.
    """

    name: str
    sequences: tuple[int, int]
    frames: tuple[int, int]
    missing: list[str]
    problems: list[str]

    @property
    def ok(self) -> bool:
        """Whether the split is complete and sound."""
        return not self.missing and not self.problems

    def __str__(self) -> str:
        sequences = f'{self.sequences[1]} of {self.sequences[0]} sequences'
        frames = f'{self.frames[1]} of {self.frames[0]} frames'
        state = 'complete' if self.ok else 'not the whole split'
        lines = [f'{self.name}: {sequences}, {frames}: {state}']
        if self.missing:
            lines.append(f'  missing sequences: {" ".join(self.missing)}')
        return '\n'.join([*lines, *(f'  {problem}' for problem in self.problems)])


@dataclass
class DataCheck:
    """Result of :func:`check_data`; its text is the report."""

    info: DataInfo
    root: Path
    splits: list[SplitCheck]

    @property
    def ok(self) -> bool:
        """Whether every split is complete and sound."""
        return all(split.ok for split in self.splits)

    def __str__(self) -> str:
        lines = [f'{self.info.title} in {self.root}', *map(str, self.splits)]
        if not self.ok:
            lines.append(self.info.instructions())
        return '\n'.join(lines)


@dataclass
class _Sequence:
    """Files of one sequence; ``labels`` are values of its first annotation."""

    frames: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check_data(
    name: str,
    root: str | Path | None = None,
    *,
    splits: Sequence[str] | None = None,
    resolution: str = '480p',
    deep: bool = False,
) -> DataCheck:
    """Count the files of a dataset and look at their headers.

    Wrong are: missing sequences, frames and annotations; annotations without a frame;
    files that are empty or not images; frames of another size than the first;
    annotations of another size than their frame; another number of objects in the
    first annotation, which alone is decoded.

    Args:
        name: of the dataset, ``'davis'``.
        root: its folder; None looks through the default roots.
        splits: ``'<year>/<split>'``; None takes every split of which the root holds a
            list or half of the sequences.
        resolution: folder below ``JPEGImages`` and ``Annotations``.
        deep: decode every file, which finds truncated ones.

    Raises:
        KeyError: dataset or split is unknown.
        FileNotFoundError: there is no such root, or it holds no split.
    """
    info = load_data_info(name)
    base = find_root(info, root)
    frames = base / info.marker / resolution
    here = (
        {p.name for p in frames.iterdir() if p.is_dir()} if frames.is_dir() else set()
    )
    chosen = list(splits or _present_splits(info, base, here))
    if not chosen:
        raise FileNotFoundError(
            f'{frames} holds no sequence of {info.title}.\n{info.instructions()}'
        )
    wanted = dict.fromkeys(name for split in chosen for name in info.sequences(split))
    labels = base / 'Annotations' / resolution
    scans = {
        name: _scan(frames / name, labels / name, deep)
        for name in wanted
        if name in here
    }
    checks = [_check_split(split, info.sequences(split), scans) for split in chosen]
    return DataCheck(info, base, checks)


def _present_splits(info: DataInfo, root: Path, here: set[str]) -> list[str]:
    found = {split: here & set(names) for split, names in info.splits.items()}
    chosen = [
        split
        for split, names in info.splits.items()
        if (root / 'ImageSets' / f'{split}.txt').is_file()
        or 2 * len(found[split]) > len(names)
    ]
    return chosen or [split for split, names in found.items() if names]


def _check_split(
    split: str, facts: Mapping[str, SequenceInfo], scans: dict[str, _Sequence]
) -> SplitCheck:
    present = [name for name in facts if name in scans]
    problems = [
        problem
        for name in present
        for problem in _check_sequence(split, name, facts[name], scans[name])
    ]
    expected = sum(fact.frames or 0 for fact in facts.values())
    return SplitCheck(
        name=split,
        sequences=(len(facts), len(present)),
        frames=(expected, sum(len(scans[name].frames) for name in present)),
        missing=[name for name in facts if name not in scans],
        problems=problems,
    )


def _check_sequence(
    split: str, name: str, fact: SequenceInfo, scan: _Sequence
) -> Iterator[str]:
    """Problems of one sequence, each naming it."""
    if fact.frames is not None and len(scan.frames) != fact.frames:
        usual = [f'{i:05d}' for i in range(fact.frames)]
        lacking = [stem for stem in usual if stem not in scan.frames]
        text = f', without {_names(lacking)}' if lacking else ''
        yield f'{name}: {len(scan.frames)} frames, expected {fact.frames}{text}'
    year, _, short = split.partition('/')
    needed = scan.frames[:1] if short in _FIRST_LABELS_ONLY else scan.frames
    bare = [stem for stem in needed if stem not in scan.annotations]
    if bare:
        yield f'{name}: no annotation for {len(bare)} frames: {_names(bare)}'
    yield from (f'{name}: {problem}' for problem in scan.problems)
    if scan.labels:
        yield from _check_objects(name, year == _BINARY_YEAR, fact, scan.labels)


def _check_objects(
    name: str, binary: bool, fact: SequenceInfo, labels: list[int]
) -> Iterator[str]:
    objects = [1] if binary and max(labels) else [n for n in labels if 0 < n < _VOID]
    if not objects and max(labels) == _VOID:
        yield (
            f'{name}: the first annotation holds 0 and 255 only, as in the 2016 '
            'release; use it with year=2016'
        )
    elif not objects:
        yield f'{name}: the first annotation has no object'
    elif fact.objects is not None and max(objects) != fact.objects:
        yield (
            f'{name}: {max(objects)} objects in the first annotation, '
            f'expected {fact.objects}'
        )


def _scan(frames: Path, annotations: Path, deep: bool) -> _Sequence:
    """Look at every file of a sequence; problems are collected, never raised."""
    scan = _Sequence()
    images = _attempt(list_frames, frames, scan.problems) or []
    label_files = _attempt(_list_labels, annotations, scan.problems) or []
    scan.frames = [path.stem for path in images]
    scan.annotations = [path.stem for path in label_files]
    measure = _decoded_size if deep else image_size
    found = {path.stem: _attempt(measure, path, scan.problems) for path in images}
    sizes = {stem: size for stem, size in found.items() if size is not None}
    usual = next(iter(sizes.values()), ())
    for stem, size in sizes.items():
        if size != usual:
            scan.problems.append(f'frame {stem} is {_hw(size)}, the first {_hw(usual)}')
    for path in label_files:
        _scan_labels(path, scan, sizes, deep or path is label_files[0])
    return scan


def _scan_labels(
    path: Path, scan: _Sequence, sizes: dict[str, tuple[int, int]], decode: bool
) -> None:
    if path.stem not in scan.frames:
        scan.problems.append(f'annotation {path.name} has no frame')
        return
    if decode:
        labels = _attempt(_read_labels, path, scan.problems)
        size = None if labels is None else labels.shape
        if labels is not None and not scan.labels:
            scan.labels = np.unique(labels).tolist()
    else:
        size = _attempt(image_size, path, scan.problems)
    expected = sizes.get(path.stem)
    if size is not None and expected is not None and size != expected:
        scan.problems.append(
            f'annotation {path.name} is {_hw(size)}, its frame {_hw(expected)}'
        )


def _attempt(read: Callable[[Path], _T], path: Path, problems: list[str]) -> _T | None:
    """What ``read`` returns; None after noting why it failed."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        problems.append(str(error))
        return None


def _list_labels(folder: Path) -> list[Path]:
    return list_frames(folder, ['.png'])


def _decoded_size(path: Path) -> tuple[int, int]:
    height, width, _ = read_image(path).shape
    return height, width


def _read_labels(path: Path) -> np.ndarray:
    return read_label_map(path)[0]


def _names(names: Sequence[str]) -> str:
    more = f' ... ({len(names)})' if len(names) > _SHOWN else ''
    return ' '.join(names[:_SHOWN]) + more


def _hw(size: tuple[int, ...]) -> str:
    return 'x'.join(map(str, size))
