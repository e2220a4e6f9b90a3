"""Open one video, read a few of its frames, close it: what training does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np

from densecorr.utils.file_clip import FileClip
from densecorr.utils.images import check_reader, read_image
from densecorr.utils.unreadable import UnreadableError
from densecorr.utils.video_source import frame_names


class ClipSource(Protocol):
    """A video that is open for reading.

    Attributes:
        num_frames: of the video.
        fps: mean frames per second; None of a folder of frames.
    """

    num_frames: int
    fps: float | None

    def read(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """Frames ``(H, W, 3)`` uint8 RGB of one size, in the order of ``indices``.

        Each frame is read once, also where it is asked for twice; the two are one
        array then.

        Raises:
            IndexError: there is no such frame.
            UnreadableError: a frame cannot be read, or has another size.
        """

    def close(self) -> None:
        """Give the file back."""

    def __enter__(self) -> ClipSource: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_clip_source(
    source: str | Path | Sequence[str | Path],
    reader: str = 'opencv',
    min_short_side: int | None = None,
    threads: int = 1,
) -> ClipSource:
    """Open a video for reading a few frames; use it in a ``with`` statement.

    Args:
        source: a folder of frames, a video file, or frame files in time order.
        reader: image decoder, ``'opencv'`` or ``'pillow'``; video files have their own.
        min_short_side: JPEGs may be decoded at a reduced size that keeps this short
            side (:func:`densecorr.utils.images.read_image`); None decodes them whole.
        threads: with which a video file is decoded. One is best where there are as many
            worker processes as cores.

    Raises:
        UnreadableError: there is no such video, or it cannot be opened.
        ValueError: an option has an unknown value.
    """
    check_reader(reader, min_short_side)
    if not isinstance(source, (str, Path)):
        return FrameClip(source, reader, min_short_side)
    path = Path(source)
    if not path.is_dir():
        return FileClip(path, threads)
    try:
        names = frame_names(path)
    except (OSError, ValueError) as error:
        raise UnreadableError(path, error) from error
    frames = [f'{path}/{name}' for name in names]
    return FrameClip(frames, reader, min_short_side)


class FrameClip:
    """A video of frame files.

    Args:
        frames: files in time order.
        reader: of :func:`densecorr.utils.images.read_image`.
        min_short_side: of the same function.
    """

    fps: float | None = None

    def __init__(
        self,
        frames: Sequence[str | Path],
        reader: str = 'opencv',
        min_short_side: int | None = None,
    ) -> None:
        self.frames, self.num_frames = frames, len(frames)
        self._reader, self._min_short_side = reader, min_short_side

    def __enter__(self) -> FrameClip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open."""

    def read(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :meth:`ClipSource.read`."""
        found: dict[int, np.ndarray] = {}
        for index in indices:
            if not 0 <= index < self.num_frames:
                raise IndexError(
                    f'the video has frames 0 to {self.num_frames - 1}, not {index}.'
                )
            if index in found:
                continue
            path = Path(self.frames[index])
            try:
                frame = read_image(path, self._reader, self._min_short_side)
            except (OSError, ValueError) as error:
                raise UnreadableError(path, error) from error
            found[index] = frame
            first = Path(self.frames[indices[0]])
            _check_size(path, frame, first, found[indices[0]])
        return [found[index] for index in indices]


def _check_size(
    path: Path, frame: np.ndarray, first_path: Path, first: np.ndarray
) -> None:
    """Refuse a frame of another size than the first one of the clip."""
    if frame.shape == first.shape:
        return
    (height, width), (first_height, first_width) = frame.shape[:2], first.shape[:2]
    raise UnreadableError(
        path,
        f'is {height}x{width}, {first_path.name} is {first_height}x{first_width} '
        '(H x W). All frames of a video need one size: split or resize it.',
    )
