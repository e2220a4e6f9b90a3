"""Random access to the frames of a video file, equal to decoding it in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from densecorr.utils.frame_table import (
    DamagedFileError,
    FrameTable,
    demux_frame_table,
)
from densecorr.utils.images import turn_upright
from densecorr.utils.unreadable import UnreadableError
from densecorr.utils.video_file import RGBConverter, VideoFile, display_orientation

_TABLES = 256  # files whose tables a process keeps
_SKIPS = frozenset(('h264',))  # decoders that say for sure which frames none refers to


class FileClip:
    """A video file that is open for reading a few frames.

    Frame numbers are those of :class:`densecorr.utils.video_file.VideoFile`, which
    decodes files in order, and so are the frames, bit by bit. Decoding starts at the
    last key frame before the first wanted frame, leaves out what no other frame refers
    to, and stops with the last wanted one. Where that does not give every frame
    (a seek that lands late, frames that refer to what was not decoded) the file is
    decoded from its beginning.

    Files whose packets do not tell the frames are decoded whole, twice: slow and exact.

    Args:
        path: file in any format that FFmpeg reads.
        threads: with which it is decoded.

    Attributes:
        num_frames: of the file.
        fps: mean frames per second.

    Raises:
        UnreadableError: there is no such file, it is cut off or not a video.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        self.path, self._threads = Path(path), threads
        self._container: Any = None
        self._converter = RGBConverter()
        self._orientation: int | None = None
        self._open()
        table = self._find_table()
        self._whole: VideoFile | None = None
        if table is None:
            self.close()
            try:
                self._whole = VideoFile(self.path)
            except (OSError, ValueError) as error:
                raise UnreadableError(self.path, error) from error
            self.num_frames: int = self._whole.num_frames
            self.fps: float | None = self._whole.fps
            return
        self._table = table
        self.num_frames, self.fps = len(table.times), table.fps

    def __enter__(self) -> FileClip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def read(self, indices: Sequence[int] | np.ndarray) -> list[np.ndarray]:
        """See :meth:`densecorr.utils.clip_reader.ClipSource.read`."""
        for index in indices:
            if not 0 <= index < self.num_frames:
                raise IndexError(
                    f'{self.path} has frames 0 to {self.num_frames - 1}, not {index}.'
                )
        wanted = sorted({int(index) for index in indices})
        if self._whole is None:
            frames = self._read_by_time([int(self._table.times[i]) for i in wanted])
        else:
            frames = self._read_in_order(self._whole, wanted)
        found = dict(zip(wanted, frames, strict=True))
        self._check_sizes(found)
        return [found[int(index)] for index in indices]

    def _read_in_order(self, video: VideoFile, wanted: list[int]) -> list[np.ndarray]:
        try:
            return [video.read(index) for index in wanted]
        except ValueError as error:
            raise UnreadableError(self.path, error) from error

    def _read_by_time(self, times: list[int]) -> list[np.ndarray]:
        """Frames of ascending times."""
        key = self._table.key_before(times[0])
        tries: list[tuple[int | None, bool]] = [(key, False), (None, False)]
        if self._stream.codec_context.name in _SKIPS:
            tries.insert(0, (key, True))
        for start, skipping in tries:
            found = self._decode(set(times), start, skipping)
            if len(found) == len(times):
                return [found[time] for time in times]
        lost = next(i for i, time in enumerate(times) if time not in found)
        index = int(np.searchsorted(self._table.times, times[lost]))
        raise UnreadableError(
            self.path,
            f'frame {index} is damaged or cannot be decoded. Copy the file again or '
            'leave it out.',
        )

    def _decode(
        self, wanted: set[int], start: int | None, skipping: bool
    ) -> dict[int, np.ndarray]:
        """The wanted frames by time, as far as they come out sound.

        Args:
            wanted: times of frames.
            start: time of the key frame to start from; None is the beginning.
            skipping: leave out frames that are not wanted and that no other needs.
        """
        found: dict[int, np.ndarray] = {}
        ahead = set(wanted)  # what the decoder has not got yet
        damaged = False
        for packet in self._packets(start):
            damaged = damaged and not packet.is_keyframe
            if damaged:
                continue  # it refers to what is lost
            shown = packet.pts in wanted and not packet.is_discard
            decoder = self._stream.codec_context
            skip = skipping and not shown
            decoder.skip_frame = 'NONREF' if skip else 'DEFAULT'
            try:
                frames = packet.decode()
                if shown:
                    ahead.discard(packet.pts)
                if not ahead and packet.size:
                    frames += decoder.decode(None)  # what it holds back
            except FFmpegError:
                if start is not None:
                    return found
                damaged = True
                continue
            for frame in frames:
                if frame.pts not in wanted or frame.is_corrupt:
                    continue
                if skipping and frame.interlaced_frame:
                    return found  # its other half may have been left out
                found[frame.pts] = self._upright(frame)
            if not ahead:
                break
        return found

    def _packets(self, start: int | None) -> Iterator[Any]:
        """Packets from a key frame on; none where the seek lands behind it."""
        if start is None:
            self._open()
        else:
            try:
                self._container.seek(start, stream=self._stream)
            except (FFmpegError, OSError):
                return
        first = True
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                return
            late = packet is None or packet.pts is None or packet.pts > (start or 0)
            if packet is None or (first and start is not None and late):
                return
            first = False
            yield packet

    def _upright(self, frame: Any) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB of a decoded frame."""
        if self._orientation is None:
            # asked of one frame alone: a frame that was asked is freed late
            self._orientation = display_orientation(frame)
        return turn_upright(self._converter(frame), self._orientation)

    def _open(self) -> None:
        self.close()
        self._orientation = None
        if not self.path.is_file():
            raise UnreadableError(self.path, 'there is no such video file.')
        try:
            self._container = av.open(str(self.path))
        except (FFmpegError, OSError) as error:
            raise self._unreadable(error) from error
        self._stream: Any = self._container.streams.best('video')
        if self._stream is None or self._stream.codec_context is None:
            self.close()
            raise self._unreadable('it has no video stream of a known codec')
        self._stream.codec_context.thread_count = self._threads
        self._stream.thread_type = 'AUTO'

    def _find_table(self) -> FrameTable | None:
        """The table of this file as it is now, kept for the next clip of it."""
        status = self.path.stat()
        known = _table_of(str(self.path), status.st_size, status.st_mtime_ns)
        if not known:
            try:
                known.append(demux_frame_table(self._container, self._stream))
            except DamagedFileError as error:
                self.close()
                raise self._unreadable(error) from error
        return known[0]

    def _check_sizes(self, found: dict[int, np.ndarray]) -> None:
        """Refuse frames of several sizes."""
        sizes = {index: frame.shape[:2] for index, frame in found.items()}
        if len(set(sizes.values())) > 1:
            shown = ', '.join(f'frame {i} {h}x{w}' for i, (h, w) in sizes.items())
            raise UnreadableError(
                self.path,
                f'has frames of several sizes (H x W): {shown}. All frames of a video '
                'need one size: split the file where it changes.',
            )

    def _unreadable(self, reason: object) -> UnreadableError:
        return UnreadableError(
            self.path,
            f'is not a whole video that can be decoded here ({reason}). Copy it again '
            'or leave it out.',
        )


@lru_cache(maxsize=_TABLES)
def _table_of(path: str, size: int, changed: int) -> list[FrameTable | None]:
    """Where the table of a file is kept: an empty list that its reader fills."""
    del path, size, changed
    return []
