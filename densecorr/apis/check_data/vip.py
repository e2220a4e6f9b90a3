"""VIP: images against label maps of parts, and the ids of the parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from densecorr.apis.check_data.files import VideoScan, scan_video, subfolders, watched
from densecorr.apis.check_data.results import Request, SplitCheck, names
from densecorr.utils.list_files import read_lines

_VOID = 255
_LABELS = ('Annotations/Category_ids', 'Annotations')  # the first that is there
_LIST = '_videos.txt'
_TEST = 'test'  # whose labels need not be there


def check_vip(request: Request) -> list[SplitCheck]:
    """Wrong are: videos of a list that are not there, frames without labels, odd sizes.

    Also ids that are no part. The first label map of a video is decoded, with ``deep``
    all of them.

    Raises:
        KeyError: a split is unknown.
        FileNotFoundError: the root holds no video.
    """
    root, info = request.root, request.info
    here = subfolders(root / info.marker)
    if not here:
        raise request.nothing(root / info.marker)
    lists = {p.name.removesuffix(_LIST): p for p in (root / 'lists').glob(f'*{_LIST}')}
    for split in request.splits or ():
        if split not in lists:
            info.expected(split)
    if not lists and not request.splits:
        return [_check_videos(request, 'all folders', here)]
    order = [*info.counts, *sorted(set(lists) - set(info.counts))]
    chosen = request.splits or [split for split in order if split in lists]
    return [_check_split(request, split, lists.get(split)) for split in chosen]


def _check_split(request: Request, split: str, path: Path | None) -> SplitCheck:
    if path is None:
        check = _check_videos(request, split, [])
        check.problems.append(f'there is no list lists/{split}{_LIST}')
        return check
    try:
        listed = [line.text.strip('/') for line in read_lines(path)]
    except ValueError as error:
        check = _check_videos(request, split, [])
        check.problems.append(str(error))
        return check
    return _check_videos(request, split, list(dict.fromkeys(listed)))


def _check_videos(request: Request, split: str, listed: list[str]) -> SplitCheck:
    root, info = request.root, request.info
    folder = _label_folder(root)
    problems: list[str] = []
    missing: list[str] = []
    frames = 0
    for name in watched(listed, f'{info.title} {split}'):
        if not (root / info.marker / name).is_dir():
            missing.append(name)
            continue
        labels = folder / name
        hidden = split == _TEST and not labels.is_dir()
        scan = scan_video(
            root / info.marker / name, None if hidden else labels, deep=request.deep
        )
        frames += len(scan.frames)
        problems += _check_video(name, scan, hidden, len(info.classes))
    counts = info.counts.get(split)
    notes = []
    if split not in info.counts:
        notes.append(
            f'there is no lists/<split>{_LIST}: write it with tools/prepare_data.py'
        )
    return SplitCheck(
        name=split,
        sequences=(counts.sequences if counts else None, len(listed) - len(missing)),
        frames=(counts.frames if counts else None, frames),
        missing=missing,
        problems=problems,
        notes=notes,
    )


def _label_folder(root: Path) -> Path:
    return next((root / f for f in _LABELS if (root / f).is_dir()), root / _LABELS[0])


def _check_video(
    name: str, scan: VideoScan, hidden: bool, classes: int
) -> Iterator[str]:
    """Problems of one video, each naming it."""
    yield from (f'{name}: {problem}' for problem in scan.problems)
    bare = [stem for stem in scan.frames if stem not in scan.annotations]
    if bare and not hidden:
        yield f'{name}: no annotation for {len(bare)} frames: {names(bare)}'
    found = {n for labels in scan.labels.values() for n in labels}
    wrong = sorted(n for n in found if n >= classes and n != _VOID)
    if wrong:
        yield (
            f'{name}: ids {wrong}; parts are 0 to {classes - 1}, void is {_VOID}. '
            'Take Category_ids, not Human_ids or Instance_ids'
        )
