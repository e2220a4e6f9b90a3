"""YouTube-VOS 2018 and 2019: folders against meta.json, frames against labels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from densecorr.apis.check_data.files import VideoScan, scan_video, subfolders, watched
from densecorr.apis.check_data.results import Request, SplitCheck, names

_SPLITS = ('valid', 'train')
_YEARS = ('2018', '2019')
_VOID = 255
_YEAR = re.compile('(?:20)?(18|19)(?![0-9])')
_Objects = dict[int, list[str]]  # object to the frames that meta.json names


def check_ytvos(request: Request) -> list[SplitCheck]:
    """Wrong is whatever makes folders, frames, labels and meta.json disagree.

    These are: a video in one place only; labels without a frame; frames of meta.json
    that are not there, or in ``train`` have no labels; an object of meta.json that no
    label map shows, or the other way round (of ``train`` with ``deep``).

    Raises:
        KeyError: a split is unknown.
        FileNotFoundError: the root holds no split.
    """
    for split in request.splits or ():
        request.info.expected(split)
    chosen = list(request.splits or _present(request))
    if not chosen:
        raise request.nothing(request.root)
    return [_check_split(request, split) for split in chosen]


def _present(request: Request) -> Iterator[str]:
    """Splits with a folder; which year they are of is told by name or by number."""
    for root in dict.fromkeys(_place(request, year) for year in _YEARS):
        for short in _SPLITS:
            videos = subfolders(root / short / 'JPEGImages')
            if videos:
                yield f'{_year(request, root, short, len(videos))}/{short}'


def _place(request: Request, year: str) -> Path:
    """The folder of a year in the root, or the root itself."""
    place = request.root / year
    return place if place.is_dir() else request.root


def _year(request: Request, root: Path, short: str, videos: int) -> str:
    named = _YEAR.findall('/'.join(root.absolute().parts[-2:]))
    if named:
        return f'20{named[-1]}'
    counts = [request.info.counts.get(f'{year}/{short}') for year in _YEARS]
    fitting = (c is not None and c.sequences == videos for c in counts)
    return next((y for y, fits in zip(_YEARS, fitting, strict=True) if fits), _YEARS[0])


def _check_split(request: Request, split: str) -> SplitCheck:
    year, _, short = split.partition('/')
    root = _place(request, year)
    base = root / short
    problems: list[str] = []
    meta = _read_meta(base / 'meta.json', problems)
    here = subfolders(base / 'JPEGImages')
    scans = {}
    for name in watched(here, f'{request.info.title} {split}'):
        scans[name] = scan_video(
            base / 'JPEGImages' / name,
            base / 'Annotations' / name,
            deep=request.deep,
            decode='all' if short == 'valid' else 'first',
        )
        problems += _check_video(name, scans[name], meta, short)
    unlabelled = [n for n in subfolders(base / 'Annotations') if n not in scans]
    if unlabelled:
        problems.append(f'annotations without frames: {names(unlabelled)}')
    expected = request.info.expected(split)
    return SplitCheck(
        name=split,
        sequences=(expected.sequences, len(scans)),
        frames=(expected.frames, sum(len(scan.frames) for scan in scans.values())),
        missing=[name for name in meta or () if name not in scans],
        problems=problems,
        notes=list(_notes(root, short, scans)),
    )


def _notes(root: Path, short: str, scans: Mapping[str, VideoScan]) -> Iterator[str]:
    """What the folder of all frames, if there is one, has less than it should."""
    folder = root / f'{short}_all_frames' / 'JPEGImages'
    videos = subfolders(folder)
    if not videos:
        return
    lacking = [name for name in scans if name not in videos]
    frames, odd = 0, []
    for name in videos:
        stems = {path.stem for path in (folder / name).iterdir()}
        frames += len(stems)
        if name in scans and not set(scans[name].frames) <= stems:
            odd.append(name)
    yield f'{short}_all_frames: {len(videos)} sequences, {frames} frames'
    if lacking:
        yield f'{short}_all_frames lacks {names(lacking)}'
    if odd:
        yield f'{short}_all_frames lacks frames of {short} in {names(odd)}'


def _check_video(
    name: str, scan: VideoScan, meta: dict[str, _Objects] | None, short: str
) -> Iterator[str]:
    """Problems of one video, each naming it."""
    yield from (f'{name}: {problem}' for problem in scan.problems)
    if meta is None:
        return
    if name not in meta:
        yield f'{name}: not in meta.json'
        return
    named = {stem for stems in meta[name].values() for stem in stems}
    lacking = sorted(named - set(scan.frames))
    if lacking:
        text = f'meta.json names {len(lacking)} frames that are not there'
        yield f'{name}: {text}: {names(lacking)}'
    bare = sorted(named & set(scan.frames) - set(scan.annotations))
    if bare and short == 'train':
        yield f'{name}: no annotation for {len(bare)} frames: {names(bare)}'
    decoded = len(scan.labels) == len(scan.annotations)
    if scan.labels and decoded:
        yield from _check_objects(name, scan, meta[name])


def _check_objects(name: str, scan: VideoScan, meta: _Objects) -> Iterator[str]:
    shown = {n for labels in scan.labels.values() for n in labels} - {0, _VOID}
    unseen = sorted(set(meta) - shown)
    unnamed = sorted(shown - set(meta))
    if unseen:
        yield f'{name}: no label map shows objects {unseen} of meta.json'
    if unnamed:
        yield f'{name}: label maps show objects {unnamed}, which meta.json has not'


def _read_meta(path: Path, problems: list[str]) -> dict[str, _Objects] | None:
    """Objects of every video; None, with a problem, where the file is of no use."""
    if not path.is_file():
        problems.append(f'{path} is missing: names of videos cannot be compared')
        return None
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
        return {name: _objects(entry) for name, entry in content['videos'].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        problems.append(f'{path} is not the meta.json of YouTube-VOS: {error!r}')
        return None


def _objects(entry: Any) -> _Objects:
    objects = entry['objects'].items()
    return {int(n): [str(s) for s in o.get('frames', ())] for n, o in objects}
