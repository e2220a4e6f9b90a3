"""Text files that list videos, one entry a line: read and written.

Readers take published files as they are: a leading ``/`` of a path, fields behind the
expected ones, empty lines, a byte order mark and Windows line ends are accepted. What
cannot be meant is an error that names file and line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from densecorr.utils.video_source import IMAGE_SUFFIXES

_FLAGS = {'0': False, '1': True}
_SHOWN = 120  # characters of a wrong line in a message


@dataclass(frozen=True)
class ListLine:
    """One line of a list that is not empty.

    Attributes:
        path: of the list.
        number: of the line, from 1.
        text: without white space at its ends.
    """

    path: Path
    number: int
    text: str

    @property
    def fields(self) -> list[str]:
        """What white space separates."""
        return self.text.split()

    def refuse(self, problem: str) -> NoReturn:
        """Raise the error of a wrong line.

        Raises:
            ValueError: names file, line number and line.
        """
        shown = self.text[:_SHOWN] + ('...' if len(self.text) > _SHOWN else '')
        raise ValueError(f'{self.path}, line {self.number}: {problem} Line: {shown!r}.')

    def image(self, position: int, what: str = 'image') -> str:
        """Field ``position`` as the path of an image, without a leading ``/``.

        Raises:
            ValueError: there is no such field, or its name is not that of an image.
        """
        fields = self.fields
        if len(fields) <= position:
            self.refuse(f'field {position + 1}, the {what}, is missing.')
        if PurePosixPath(fields[position]).suffix.lower() not in IMAGE_SUFFIXES:
            self.refuse(
                f'field {position + 1} should be the path of the {what}, which ends '
                f'in one of {sorted(IMAGE_SUFFIXES)}, not {fields[position]!r}.'
            )
        return fields[position].lstrip('/')


@dataclass(frozen=True)
class ListedVideo:
    """One video of a list of images; paths are relative to the data root, with ``/``.

    Attributes:
        folder: of its images.
        images: in the order of the list.
        label_maps: of every image; None where the list names none. The file need not
            exist.
        written: of every image, whether its result is to be written.
    """

    folder: str
    images: tuple[str, ...]
    label_maps: tuple[str | None, ...]
    written: tuple[bool, ...]

    @property
    def name(self) -> str:
        """The folder's own name, by which results are filed."""
        return PurePosixPath(self.folder).name

    @property
    def frame_names(self) -> tuple[str, ...]:
        """Names of the images without suffix."""
        return tuple(PurePosixPath(image).stem for image in self.images)


@dataclass(frozen=True)
class _Entry:
    image: str
    label_map: str | None = None
    written: bool = True


def read_lines(path: str | Path) -> list[ListLine]:
    """Lines of a text file that are not empty.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not UTF-8 text, or has no such line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no list file {str(path)!r}.')
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is not a list: byte {error.start} is not UTF-8 text.'
        ) from error
    lines = text.replace('\r\n', '\n').replace('\r', '\n').split('\n')
    found = [
        ListLine(path, number, line.strip())
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]
    if not found:
        raise ValueError(f'{path} is empty. Write one entry a line.')
    return found


def read_image_list(path: str | Path, min_frames: int = 1) -> list[ListedVideo]:
    """Read a list for training: ``image`` a line, further fields are ignored.

    Lines that follow one another and have the same folder, the whole of it, are a
    video.

    Args:
        path: of the list, for example ``train_ytvos.txt``.
        min_frames: shorter videos are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is wrong, or no video is long enough.

    Note: the official reader compares the names of the folders alone, so neighbours
        ``a/x`` and ``b/x`` become one video.

    Reference: Araslanov et al., NeurIPS 2021, arXiv:2111.06265. Official:
        visinf/dense-ulearn-vos, 88e5e35.
    """
    videos = _group(path, lambda line: _Entry(line.image(0)))
    kept = [video for video in videos if len(video.images) >= min_frames]
    if not kept:
        longest = max(len(video.images) for video in videos)
        raise ValueError(
            f'{path}: none of its {len(videos)} videos has {min_frames} frames, the '
            f'longest has {longest}. Take shorter clips or another list.'
        )
    return kept


def read_validation_list(path: str | Path) -> list[ListedVideo]:
    """Read a list for validation: ``image [label map]`` a line.

    Videos of any length are kept, with all of their frames.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is wrong.

    Note: the official reader drops the last frame of the last video, and looks at the
        length of the first video only.
    """

    def parse(line: ListLine) -> _Entry:
        listed = len(line.fields) > 1
        return _Entry(line.image(0), line.image(1, 'label map') if listed else None)

    return _group(path, parse)


def read_inference_list(path: str | Path) -> list[ListedVideo]:
    """Read a list for inference: ``flag image label_map`` a line.

    ``flag`` 1: the result of this image is written. The label map need not exist.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is wrong.
    """

    def parse(line: ListLine) -> _Entry:
        flag = line.fields[0]
        if flag not in _FLAGS:
            line.refuse(
                f'the first field, whether the result is written, should be 0 or 1, '
                f'not {flag!r}.'
            )
        return _Entry(line.image(1), line.image(2, 'label map'), _FLAGS[flag])

    return _group(path, parse)


def read_folder_list(path: str | Path) -> list[str]:
    """Read a list of folders of frames: one a line, spaces belong to its name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line names an image.
    """
    lines = read_lines(path)
    for line in lines:
        if PurePosixPath(line.text).suffix.lower() in IMAGE_SUFFIXES:
            line.refuse('a folder of frames is expected, this is an image.')
    return [line.text.strip('/') for line in lines]


def read_frame_index(path: str | Path) -> dict[str, list[str]]:
    """Read a JSON object of video names to lists of frame names.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no JSON (with the line), or has another form.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'There is no list file {str(path)!r}.')
    try:
        index = json.loads(path.read_text(encoding='utf-8-sig'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path}, line {error.lineno}: {error.msg}.') from error
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no JSON: {error}.') from error
    form = '{"<video>": ["<frame>.jpg", ...], ...}'
    if not isinstance(index, dict) or not index:
        raise ValueError(f'{path} should hold {form}, not {str(index)[:_SHOWN]!r}.')
    for video, frames in index.items():
        names = isinstance(frames, list) and all(isinstance(x, str) for x in frames)
        if not names or not frames:
            raise ValueError(
                f'{path}: video {video!r} should have a list of frame names, as in '
                f'{form}, not {str(frames)[:_SHOWN]!r}.'
            )
    return index


def frame_index_lines(index: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The lines of a JSON object of video names to frame names, one video a line."""
    last = len(index) - 1
    yield '{'
    for i, (video, frames) in enumerate(index.items()):
        comma = '' if i == last else ','
        yield f'{json.dumps(video)}: {json.dumps(list(frames))}{comma}'
    yield '}'


def check_fields(fields: Iterable[str]) -> str:
    """One line of fields that white space separates.

    Raises:
        ValueError: a field is empty or has white space, so that no reader could tell
            the fields apart.
    """
    fields = list(fields)
    for field in fields:
        if field.split() != [field]:
            raise ValueError(
                f'{field!r} cannot be written into a list whose fields are separated '
                'by spaces. Rename the folder or file, or link to it by a name '
                'without spaces.'
            )
    return ' '.join(fields)


def _group(path: str | Path, parse: Callable[[ListLine], _Entry]) -> list[ListedVideo]:
    """Entries of neighbouring lines whose images lie in one folder."""
    groups: list[tuple[str, list[_Entry]]] = []
    for line in read_lines(path):
        entry = parse(line)
        folder = PurePosixPath(entry.image).parent.as_posix()
        if not groups or groups[-1][0] != folder:
            groups.append((folder, []))
        groups[-1][1].append(entry)
    return [
        ListedVideo(
            folder=folder,
            images=tuple(entry.image for entry in entries),
            label_maps=tuple(entry.label_map for entry in entries),
            written=tuple(entry.written for entry in entries),
        )
        for folder, entries in groups
    ]
