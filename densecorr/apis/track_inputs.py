"""What a user tracks: a clip of their own, and a label map or points of it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from densecorr.datasets.frame_video import FrameVideo
from densecorr.propagation.points import PointQueries
from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.images import encode_label_map, read_label_map
from densecorr.utils.video_file import VideoFile
from densecorr.utils.video_source import list_frames

FPS = 25.0  # of a folder of frames, which has no times
COLUMNS = ('frame', 'id', 'x', 'y')
_BLOCK = 1 << 20  # bytes of a file that are in memory while it is hashed


@dataclass(frozen=True)
class Clip:
    """A user's own video.

    Attributes:
        video: its frames, upright; without labels.
        times: seconds from the first frame to each.
        fps: mean frames per second.
        note: how the frames were turned, for messages about sizes; else empty.
    """

    video: VideoSample
    times: tuple[float, ...]
    fps: float
    note: str = ''


def open_clip(
    path: str | Path, fps: float | None = None, max_frames: int | None = None
) -> Clip:
    """Open a video file, a GIF or a folder of frames.

    Args:
        path: of the clip. Frames of a folder are ordered by the number in their name.
        fps: frames per second of a folder, 25 by default; a file has its own.
        max_frames: only so many frames from the start.

    Raises:
        FileNotFoundError: there is neither file nor folder.
        ValueError: it cannot be decoded, the folder holds no frames, or an argument
            makes no sense.
    """
    path = Path(path)
    if max_frames is not None and max_frames < 1:
        raise ValueError(f'max_frames is {max_frames}; give at least 1.')
    if fps is not None and not 0 < fps < float('inf'):
        raise ValueError(f'fps is {fps}; it should be positive.')
    if path.is_dir():
        return _open_folder(path, fps or FPS, max_frames)
    if not path.is_file():
        raise FileNotFoundError(
            f'There is no clip {str(path)!r}. Give a video file, a GIF, or a folder of '
            'frames.'
        )
    if fps is not None:
        raise ValueError(
            f'fps is {fps}, but {path} has times of its own. fps is for folders.'
        )
    return _open_file(path, max_frames)


def with_labels(
    clip: Clip, labels: str | Path | np.ndarray, frame: int = 0
) -> VideoSample:
    """The clip with the label map of one frame.

    Args:
        clip: as :func:`open_clip` returns it.
        labels: palette or grey PNG, or ``(H, W)`` integers from 0 to 255; 0 is
            background, every other value an object.
        frame: to which the label map belongs; tracking starts there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a label map, has another size than the frames, holds no
            object, or the clip has no such frame.
    """
    video = clip.video
    if not 0 <= frame < video.num_frames:
        raise ValueError(
            f'the label map is for frame {frame}; the clip has frames 0 to '
            f'{video.num_frames - 1}.'
        )
    given, what = _read_labels(labels)
    if given.indices.shape != video.size:
        raise ValueError(
            f'{what} is {_text(given.indices.shape)}, the frames of {video.name!r} are '
            f'{_text(video.size)} (H x W){clip.note}. A label map needs the size of '
            'its frame: draw it on the frame itself, or resize it by nearest neighbour.'
        )
    if not given.indices.any():
        raise ValueError(
            f'{what} holds no object, all its pixels are 0 (background). Paint each '
            'object with a number from 1 to 255.'
        )
    facts = f'{frame} {video.size}'.encode()
    content = facts + given.indices.tobytes()
    return replace(
        video,
        label_frames=(frame,),
        first_label_frames=(frame,),
        read_labels=lambda index: given,
        hash_inputs=lambda: hashlib.sha256(
            video.hash_inputs().encode() + content
        ).hexdigest(),
    )


def read_points(points: str | Path | np.ndarray) -> PointQueries:
    """Points from a CSV file or an array.

    Args:
        points: file whose first line names the columns ``frame,id,x,y`` (others are
            ignored), or an ``(o, 4)`` array with these columns.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, a value is no number, there is no point, or
            one is given twice.
    """
    if isinstance(points, (str, Path)):
        rows = _read_csv(Path(points))
        what = str(points)
    else:
        rows, what = np.asarray(points, float), 'the array of points'
        if rows.ndim != 2 or rows.shape[1] != len(COLUMNS):
            raise ValueError(
                f'{what} has shape {rows.shape}; it should be (o, 4): '
                f'{", ".join(COLUMNS)}.'
            )
        whole = rows[:, :2]
        if (whole != np.rint(whole)).any():
            raise ValueError(f'{what} has frames or ids that are not whole numbers.')
    try:
        return PointQueries(rows[:, 0].astype(int), rows[:, 1].astype(int), rows[:, 2:])
    except ValueError as error:
        raise ValueError(f'{what}: {error}') from error


def _open_file(path: Path, max_frames: int | None) -> Clip:
    file = VideoFile(path)
    count = min(file.num_frames, max_frames or file.num_frames)
    note = ', turned upright as the file says' if file.turned else ''
    video = VideoSample(
        name=path.stem,
        frame_names=file.frame_names[:count],
        read_frame=file.read,
        label_frames=(),
        read_labels=_nothing,
        first_label_frames=(),
        size=file.size,
        hash_inputs=lambda: _hash_file(path, count),
    )
    return Clip(video, file.times[:count], file.fps, note)


def _open_folder(path: Path, fps: float, max_frames: int | None) -> Clip:
    frames = FrameVideo(
        path.resolve().name, tuple(list_frames(path)[:max_frames]), {}, ()
    )
    times = tuple(index / fps for index in range(len(frames.frames)))
    return Clip(frames.sample(), times, fps)


def _nothing(index: int) -> LabelMap:
    raise KeyError(f'frame {index} has no labels.')


def _hash_file(path: Path, num_frames: int) -> str:
    """sha256 in hex of the bytes of a file and of how many frames are used."""
    digest = hashlib.sha256(f'{num_frames};'.encode())
    with path.open('rb') as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _read_labels(labels: str | Path | np.ndarray) -> tuple[LabelMap, str]:
    """A label map, and what to call it in messages."""
    if isinstance(labels, (str, Path)):
        indices, palette = read_label_map(labels)
        return LabelMap(indices, palette), f'label map {labels}'
    encode_label_map(labels)  # refuses what a PNG cannot hold
    return LabelMap(np.asarray(labels).astype(np.uint8)), 'the label map'


def _read_csv(path: Path) -> np.ndarray:
    """``(o, 4)`` float64 of a points file."""
    if not path.is_file():
        raise FileNotFoundError(f'There is no file of points {str(path)!r}.')
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not a text file; points are CSV.') from error
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    header = [str(name).strip() for name in reader.fieldnames or []]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        found = f'its first line is {",".join(header)!r}' if header else 'it is empty'
        raise ValueError(
            f'{path} lacks the columns {missing}; {found}. The first line of a file of '
            f'points is {",".join(COLUMNS)!r}, then one line per point.'
        )
    reader.fieldnames = header
    rows = [_numbers(row, path, reader.line_num) for row in reader]
    if not rows:
        raise ValueError(
            f'{path} holds no point, only its first line. Add one line per point: '
            f'{",".join(COLUMNS)}.'
        )
    return np.array(rows, float)


def _numbers(row: Mapping[str, str | None], path: Path, line: int) -> list[float]:
    """The four numbers of a line."""
    values: list[float] = []
    for name, kind in zip(COLUMNS, (int, int, float, float), strict=True):
        text = (row[name] or '').strip()
        try:
            values.append(kind(text))
        except ValueError as error:
            wanted = 'a whole number' if kind is int else 'a number'
            raise ValueError(
                f'{path}, line {line}: {name} is {text!r}; it should be {wanted}.'
            ) from error
    return values


def _text(size: tuple[int, ...]) -> str:
    return 'x'.join(map(str, size))
