"""Datasets of which videos alone, or videos and label maps, are counted and opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from densecorr.apis.check_data.files import attempt, scan_video
from densecorr.apis.check_data.results import Request, SplitCheck, names
from densecorr.utils.images import image_size
from densecorr.utils.video_file import VideoFile
from densecorr.utils.video_source import is_frame, list_frames

_VIDEO_SUFFIXES = frozenset(('.mp4', '.avi', '.mkv', '.webm', '.mov', '.m4v'))
_IMAGES, _LABELS = 'JPEGImages', 'Annotations'
_IMAGE_SETS = ('imagenet',)  # folders of images that belong to no video
_UNCOUNTED = 'frames of video files are counted with --deep'


@dataclass
class _Found:
    """What the folders of one split hold."""

    sequences: int = 0
    frames: int = 0
    files: int = 0  # videos that are files
    problems: list[str] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)


def check_plain(request: Request) -> list[SplitCheck]:
    """Count videos, folders of frames or files, and see whether they can be read.

    Where a folder of label maps lies beside that of the images, every header is read;
    otherwise those of the first and the last frame of every video. ``deep`` decodes
    everything.

    Raises:
        KeyError: a split is unknown.
        FileNotFoundError: the root holds no split.
    """
    info, root = request.info, request.root
    for split in request.splits or ():
        if split not in info.folders:
            known = sorted(info.folders)
            raise KeyError(f'{info.title} has no split {split!r}. Known: {known}.')
    places = {split: _places(root, split, request) for split in info.folders}
    chosen = list(request.splits or (s for s, found in places.items() if found))
    if not chosen:
        raise request.nothing(root)
    return [_check_split(request, split, places[split]) for split in chosen]


def _places(root: Path, split: str, request: Request) -> list[Path]:
    """Folders of a split: those of the first spelling that is there."""
    for spelling in request.info.folders[split]:
        found = sorted(path for path in root.glob(spelling) if path.is_dir())
        if found:
            return found
    return []


def _check_split(request: Request, split: str, places: list[Path]) -> SplitCheck:
    found = _Found()
    for place in places:
        _look(place, found, request.deep, request.info.name not in _IMAGE_SETS)
    counts = request.info.counts.get(split)
    counted = request.deep or not found.files
    notes = [] if counted else [_UNCOUNTED]
    if found.unlabelled:
        number = len(found.unlabelled)
        notes.append(f'{number} videos without labels: {names(found.unlabelled)}')
    if not places:
        spellings = ', '.join(request.info.folders[split])
        found.problems.append(f'there is no folder of it: looked for {spellings}')
    return SplitCheck(
        name=split,
        sequences=(counts.sequences if counts else None, found.sequences),
        frames=(counts.frames if counts else None, found.frames if counted else None),
        problems=found.problems,
        notes=notes,
    )


def _look(place: Path, found: _Found, deep: bool, same_size: bool) -> None:
    labels = _label_folder(place)
    for folder, frames, files in _walk(place):
        for path in files:
            _look_at_file(path, path.relative_to(place).as_posix(), found, deep)
        if not frames:
            continue
        name = folder.relative_to(place).as_posix()
        found.sequences += 1
        if labels is not None:
            own = labels / name
            scan = scan_video(folder, own if own.is_dir() else None, deep=deep)
            found.frames += len(scan.frames)
            found.problems += [f'{name}: {problem}' for problem in scan.problems]
            if not own.is_dir():
                found.unlabelled.append(name)
        elif deep:
            scan = scan_video(folder, deep=True, same_size=same_size)
            found.frames += len(scan.frames)
            found.problems += [f'{name}: {problem}' for problem in scan.problems]
        else:
            found.frames += _look_at_ends(folder, name, found.problems)


def _label_folder(place: Path) -> Path | None:
    """``Annotations`` where the images lie in ``JPEGImages``."""
    parts = list(place.parts)
    if _IMAGES not in parts:
        return None
    last = len(parts) - 1 - parts[::-1].index(_IMAGES)
    folder = Path(*parts[:last], _LABELS, *parts[last + 1 :])
    return folder if folder.is_dir() else None


def _walk(place: Path) -> Iterator[tuple[Path, bool, list[Path]]]:
    """Folders at any depth: whether they hold frames, and their video files."""
    for top, folders, files in os.walk(place, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        paths = [Path(top, name) for name in sorted(files) if not name.startswith('.')]
        videos = [path for path in paths if path.suffix.lower() in _VIDEO_SUFFIXES]
        yield Path(top), any(is_frame(path) for path in paths), videos


def _look_at_ends(folder: Path, name: str, problems: list[str]) -> int:
    own: list[str] = []
    frames = attempt(list_frames, folder, own) or []
    for path in dict.fromkeys([*frames[:1], *frames[-1:]]):
        attempt(image_size, path, own)
    problems += [f'{name}: {problem}' for problem in own]
    return len(frames)


def _look_at_file(path: Path, name: str, found: _Found, deep: bool) -> None:
    found.sequences += 1
    found.files += 1
    own: list[str] = []
    if not path.stat().st_size:
        own.append('is empty (0 bytes). Copy or fetch it again.')
    elif deep:
        video = attempt(VideoFile, path, own)
        found.frames += video.num_frames if video else 0
    found.problems += [f'{name}: {problem}' for problem in own]
