"""Lists the videos to train on, without opening any of them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from densecorr.utils.list_files import (
    ListLine,
    read_frame_index,
    read_lines,
)
from densecorr.utils.tree_listing import found_tree
from densecorr.utils.video_source import IMAGE_SUFFIXES, VIDEO_SUFFIXES, has_suffix

_FILE = re.compile(rf'.*({"|".join(map(re.escape, sorted(VIDEO_SUFFIXES)))})', re.I)
_COUNT = re.compile(r'(.*?\S)\s+(\d+)(\s+-?\d+)?')  # folder, frames, label
_LABEL = re.compile(r'\s+-?\d+(\s+-?\d+)*')


class TrainingVideo(NamedTuple):
    """A video by its place; nothing of it is open.

    Attributes:
        name: ``/`` separates folders.
        place: folder of its frames, or a video file.
        num_frames: None where that is not known without opening it.
        frames: names of its frame files in ``place``, one a line, where a list names
            them; None takes all of the folder.
    """

    name: str
    place: str
    num_frames: int | None = None
    frames: str | None = None

    def source(self) -> str | list[str]:
        """What :func:`densecorr.utils.clip_reader.open_clip_source` opens."""
        if self.frames is None:
            return self.place
        return [f'{self.place}/{name}' for name in self.frames.split('\n')]


def is_image_name(name: str) -> bool:
    """Whether a file looks like an image by its name."""
    return has_suffix(name, IMAGE_SUFFIXES)


def walk_files(
    root: str | Path, keep: Callable[[str], bool]
) -> Iterator[tuple[Path, list[str]]]:
    """Folders at or below ``root`` with the names of some of their files, sorted.

    Linked folders are followed, each once. Hidden files and folders are ignored.

    Args:
        root: where to begin.
        keep: whether a file of this name is wanted.
    """
    seen = set()
    for place, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        yield Path(place), sorted(name for name in files if keep(name))


def find_training_videos(root: str | Path) -> list[TrainingVideo]:
    """Folders of frames and video files at any depth, in the order of their names.

    A folder's frames are counted, files are not opened. A folder of frames is named by
    its path below the root (or the root itself by its own name), a file by its path
    with the suffix.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f'There is no folder of videos {str(root)!r}.')
    found = []
    for place, names in walk_files(root, _is_media):
        folder = place.relative_to(root).as_posix()
        images = sum(map(is_image_name, names))
        if images:
            name = root.resolve().name if folder == '.' else folder
            found.append(TrainingVideo(name, str(place), images))
        for name in names:
            if not is_image_name(name):
                file = place / name
                found.append(
                    TrainingVideo(file.relative_to(root).as_posix(), str(file))
                )
    return sorted(found)


def listed_training_videos(
    path: str | Path, bases: Sequence[Path]
) -> list[TrainingVideo]:
    """The videos of a list, of one of these forms.

    - ``image`` a line, as DUL has it: images of one folder that follow one another are
      a video.
    - ``folder n_frames``, as CRW has it: the first n frames of the folder. A third
      field (a label) is ignored. Every line needs the number.
    - a video file or a folder a line; after a video file numbers are ignored (the lists
      of VFS have labels there). Spaces belong to the name.
    - JSON ``{"<video>": ["<frame>.jpg", ...]}``, as Spa-then-Temp has it.

    Args:
        path: of the list.
        bases: folders that the list's paths may be relative to; the one that holds the
            first video of the list is taken. A leading ``/`` is ignored there.

    Raises:
        FileNotFoundError: there is no such list, or no base has its first video.
        ValueError: a line is wrong.
    """
    path = Path(path)
    if path.suffix.lower() == '.json':
        videos = [
            _frame_list(name, frames) for name, frames in read_frame_index(path).items()
        ]
    elif is_image_name(PurePosixPath(_first_field(path)).name):
        videos = _image_videos(path)
    else:
        videos = _line_videos(read_lines(path))
    return _based(path, videos, bases)


def _first_field(path: Path) -> str:
    """Of the first line of a list; empty where there is none."""
    if not path.is_file():
        return ''
    with path.open(encoding='utf-8-sig', errors='surrogateescape') as file:
        return next((line.split()[0] for line in file if line.strip()), '')


def _image_videos(path: Path) -> list[TrainingVideo]:
    """Videos of a list of images, which may be long: lines are not kept."""
    return [
        _frame_list(folder, [name for _, name in entries])
        for folder, entries in groupby(_images(path), key=itemgetter(0))
    ]


def _images(path: Path) -> Iterator[tuple[str, str]]:
    """Folder and name of the image of every line that is not empty."""
    with path.open(encoding='utf-8-sig', errors='surrogateescape') as file:
        for number, text in enumerate(file, 1):
            field = text.split(None, 1)[:1]
            if not field:
                continue
            folder, _, name = field[0].lstrip('/').rpartition('/')
            if not is_image_name(name):
                ListLine(path, number, text.strip()).image(0)  # says what is wrong
            yield folder, name


def _frame_list(folder: str, names: list[str]) -> TrainingVideo:
    return TrainingVideo(folder, folder, len(names), '\n'.join(names))


def _line_videos(lines: list[ListLine]) -> list[TrainingVideo]:
    """Videos of lines that name a folder or a video file."""
    files = [_file_of(line.text) for line in lines]
    counts = [_COUNT.fullmatch(line.text) for line in lines]
    folders = [count for file, count in zip(files, counts, strict=True) if not file]
    counted = all(folders)
    videos = []
    for line, file, count in zip(lines, files, counts, strict=True):
        if is_image_name(PurePosixPath(line.text).name):
            line.refuse('a folder or a video file is expected, this is an image.')
        if file or not counted or count is None:
            name = (file or line.text).rstrip('/')
            videos.append(TrainingVideo(name, name))
        else:
            name = count[1].rstrip('/')
            videos.append(TrainingVideo(name, name, int(count[2])))
    return videos


def _file_of(text: str) -> str | None:
    """The video file at the start of a line, behind which only numbers may stand."""
    found = _FILE.match(text)
    if found is None:
        return None
    rest = text[found.end() :]
    return found[0] if not rest or _LABEL.fullmatch(rest) else None


def _based(
    path: Path, videos: list[TrainingVideo], bases: Sequence[Path]
) -> list[TrainingVideo]:
    """The videos with their places below the right base."""
    first = videos[0]
    name = '' if first.frames is None else first.frames.split('\n', 1)[0]
    if Path(first.place).is_absolute() and Path(first.place, name).exists():
        return videos
    for base in bases:
        if (base / first.place.lstrip('/') / name).exists():
            break
    else:
        tried = ', '.join(repr(str(base)) for base in bases)
        raise FileNotFoundError(
            f'{path}: its first video {first.name!r} is in none of {tried}. Name the '
            'folder that the paths of the list begin from: root=... of the dataset.\n'
            f'{found_tree(bases[0])}'
        )
    return [
        video._replace(
            name=video.name.lstrip('/'), place=str(base / video.place.lstrip('/'))
        )
        for video in videos
    ]


def _is_media(name: str) -> bool:
    return is_image_name(name) or has_suffix(name, VIDEO_SUFFIXES)
