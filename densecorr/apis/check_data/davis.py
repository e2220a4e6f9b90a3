"""DAVIS: every sequence against its published numbers of frames and objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from densecorr.apis.check_data.files import VideoScan, scan_video, subfolders, watched
from densecorr.apis.check_data.results import Request, SplitCheck, names
from densecorr.utils.data_info import DataInfo, SequenceInfo

_VOID = 255
_BINARY_YEAR = '2016'
_FIRST_LABELS_ONLY = ('test-dev', 'test-challenge')  # the others are not published


def check_davis(request: Request) -> list[SplitCheck]:
    """Wrong are: missing sequences, frames and annotations; odd files and sizes.

    Also another number of objects in the first annotation.

    Raises:
        KeyError: a split is unknown.
        FileNotFoundError: the root holds no split.
    """
    info, base, deep = request.info, request.root, request.deep
    frames = base / info.marker / request.resolution
    here = set(subfolders(frames))
    chosen = list(request.splits or _present_splits(info, base, here))
    if not chosen:
        raise request.nothing(frames)
    wanted = dict.fromkeys(name for split in chosen for name in info.sequences(split))
    labels = base / 'Annotations' / request.resolution
    scans = {
        name: scan_video(frames / name, labels / name, deep=deep)
        for name in watched([name for name in wanted if name in here], info.title)
    }
    checks = [_check_split(split, info.sequences(split), scans) for split in chosen]
    others = sorted(here.difference(*info.splits.values()))
    for check in checks:
        if others and check.missing:
            check.notes.append(f'folders of no split: {names(others)}')
    return checks


def listed_splits(info: DataInfo, root: Path) -> DataInfo:
    """The facts that the lists of a root give, for data in the layout of DAVIS."""
    lists = sorted((root / 'ImageSets').glob('*/*.txt'))
    splits = {}
    for path in lists:
        lines = path.read_text(encoding='utf-8').split('\n')
        # one name a line, or pairs of paths as in the 2016 release
        listed = [Path(line.split()[0]) for line in lines if line.strip()]
        known = (p.parent.name if p.suffix else p.name for p in listed)
        year = path.parent.name if path.parent.name.isdigit() else _BINARY_YEAR
        unknown = SequenceInfo(None, None)
        splits[f'{year}/{path.stem}'] = dict.fromkeys(known, unknown)
    return replace(info, splits=splits)


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
    split: str, facts: Mapping[str, SequenceInfo], scans: dict[str, VideoScan]
) -> SplitCheck:
    present = [name for name in facts if name in scans]
    problems = [
        problem
        for name in present
        for problem in _check_sequence(split, name, facts[name], scans[name])
    ]
    counts = [fact.frames for fact in facts.values() if fact.frames is not None]
    return SplitCheck(
        name=split,
        sequences=(len(facts), len(present)),
        frames=(sum(counts) if counts else None, _total(scans, present)),
        missing=[name for name in facts if name not in scans],
        problems=problems,
    )


def _total(scans: Mapping[str, VideoScan], present: list[str]) -> int:
    return sum(len(scans[name].frames) for name in present)


def _check_sequence(
    split: str, name: str, fact: SequenceInfo, scan: VideoScan
) -> Iterator[str]:
    """Problems of one sequence, each naming it."""
    if fact.frames is not None and len(scan.frames) != fact.frames:
        usual = [f'{i:05d}' for i in range(fact.frames)]
        lacking = [stem for stem in usual if stem not in scan.frames]
        text = f', without {names(lacking)}' if lacking else ''
        yield f'{name}: {len(scan.frames)} frames, expected {fact.frames}{text}'
    year, _, short = split.partition('/')
    needed = scan.frames[:1] if short in _FIRST_LABELS_ONLY else scan.frames
    bare = [stem for stem in needed if stem not in scan.annotations]
    if bare:
        yield f'{name}: no annotation for {len(bare)} frames: {names(bare)}'
    yield from (f'{name}: {problem}' for problem in scan.problems)
    for labels in list(scan.labels.values())[:1]:
        yield from _check_objects(name, year == _BINARY_YEAR, fact, labels)


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
