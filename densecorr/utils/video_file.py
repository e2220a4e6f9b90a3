"""Frames of a video file or GIF, decoded when asked for."""

from __future__ import annotations

import gc
import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter
from mmengine.logging import print_log

from densecorr.utils.images import turn_upright

_DISPLAY = 'DISPLAYMATRIX'
_DEFAULT_FPS = 25.0  # of the few formats that keep no times
# EXIF orientation of (rows and columns exchanged, then mirrored left-right, up-down)
_ORIENTATIONS = {
    (False, False, False): 1,
    (False, True, False): 2,
    (False, True, True): 3,
    (False, False, True): 4,
    (True, False, False): 5,
    (True, True, False): 6,
    (True, True, True): 7,
    (True, False, True): 8,
}


class VideoFile:
    """A video file or GIF as numbered RGB frames; one decoded frame is in memory.

    Opening decodes the file once to count its frames and to read their times, since
    headers may lie. Reading in order is fast; reading backwards starts at the beginning
    again, which is exact where seeking is not. Phone videos are turned upright as their
    header says. Damaged parts of a file are left out with a warning, as players do.

    Args:
        path: file in any format that FFmpeg reads.

    Attributes:
        num_frames: frames that can be decoded.
        size: ``(H, W)`` of the upright frames.
        times: seconds from the first frame to each, ascending; frames of a video of
            variable frame rate keep their own.
        fps: mean frames per second.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no frame that can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'There is no video file {str(self.path)!r}.')
        self._frames: Iterator[Any] = iter(())
        self._converter = RGBConverter()
        self._next, self._damaged = 0, 0
        stamps: list[float | None] = []
        for frame in self._decode():
            if not stamps:
                # asked of one frame alone: a frame that was asked is freed late
                self._orientation = display_orientation(frame)
                height, width = self._upright(frame).shape[:2]
                self.size = (height, width)
            stamps.append(frame.time)
        if not stamps:
            raise self._unreadable('no frame in it can be decoded')
        self.num_frames = len(stamps)
        self.times = self._times(stamps)
        self._warn_damaged()
        self._next = self.num_frames

    @property
    def frame_names(self) -> tuple[str, ...]:
        """``'00000'``, ``'00001'`` and so on."""
        return tuple(f'{index:05d}' for index in range(self.num_frames))

    @property
    def turned(self) -> bool:
        """Whether the frames are stored turned or mirrored."""
        return self._orientation != 1

    @property
    def fps(self) -> float:
        """Mean frames per second; of a single frame what the header says."""
        if self.num_frames == 1:
            return self._rate
        return (self.num_frames - 1) / self.times[-1]

    def read(self, index: int) -> np.ndarray:
        """Frame ``index`` as ``(H, W, 3)`` uint8 RGB.

        Raises:
            IndexError: there is no such frame.
            ValueError: it cannot be decoded, or has another size than the first.
        """
        if not 0 <= index < self.num_frames:
            raise IndexError(
                f'{self.path} has frames 0 to {self.num_frames - 1}, not {index}.'
            )
        if index < self._next:
            self._frames, self._next = self._decode(), 0
        found: Any = None
        while self._next <= index:
            found = next(self._frames, None)
            self._next += 1
        if found is None:
            raise ValueError(
                f'Frame {index} of {self.path} cannot be decoded; the file has changed '
                'since it was opened.'
            )
        rgb = self._upright(found)
        if rgb.shape[:2] != self.size:
            raise ValueError(
                f'Frame {index} of {self.path} is {rgb.shape[0]}x{rgb.shape[1]}, the '
                f'first one {self.size[0]}x{self.size[1]} (H x W). All frames of a '
                'video need one size: split the file where it changes.'
            )
        return rgb

    def _upright(self, frame: Any) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB of a decoded frame."""
        return turn_upright(self._converter(frame), self._orientation)

    def _decode(self) -> Iterator[Any]:
        """Frames in the order in which they are shown; damaged packets are skipped."""
        self._damaged = 0
        try:
            container: Any = av.open(str(self.path))
        except (FFmpegError, OSError) as error:
            raise self._unreadable(str(error)) from error
        with container:
            stream = container.streams.best('video')
            if stream is None or stream.codec_context is None:
                raise self._unreadable('it has no video stream of a known codec')
            self._rate = float(stream.average_rate or _DEFAULT_FPS)
            self._promised = stream.frames  # 0 where the header does not say
            stream.thread_type = 'AUTO'
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                    if packet is None:
                        return
                    yield from packet.decode()
                except FFmpegError:
                    self._damaged += 1

    def _times(self, stamps: list[float | None]) -> tuple[float, ...]:
        """Seconds from the first frame; even steps where the file has no good times."""
        known = [stamp for stamp in stamps if stamp is not None]
        rising = all(a < b for a, b in itertools.pairwise(known))
        if len(known) == len(stamps) and rising:
            return tuple(stamp - known[0] for stamp in known)
        print_log(
            f'{self.path} has no ascending times of its frames: {self._rate:g} frames '
            'per second are assumed.',
            logger='current',
            level=logging.WARNING,
        )
        return tuple(index / self._rate for index in range(len(stamps)))

    def _warn_damaged(self) -> None:
        """Tell what cannot be decoded, though the file names it."""
        if self._damaged or self.num_frames < self._promised:
            print_log(
                f'{self.path} has {self._damaged} damaged packets and names '
                f'{self._promised} frames, of which {self.num_frames} can be decoded: '
                'these are used. If the file was cut off, copy it again.',
                logger='current',
                level=logging.WARNING,
            )

    def _unreadable(self, reason: str) -> ValueError:
        return ValueError(
            f'{self.path} is not a video that can be decoded here (damaged, not '
            f'finished, or an unknown codec: {reason}). Record or copy it again, or '
            'convert it, for example: '
            f'ffmpeg -i {self.path.name!r} -c:v libx264 -pix_fmt yuv420p converted.mp4'
        )


class RGBConverter:
    """Decoded frames of one video to ``(H, W, 3)`` uint8 RGB, in the calling thread.

    A frame that is converted by itself sets up a converter with threads of its own:
    slower than to convert, and where such a frame waits to be freed while a process
    forks, the child waits for threads that it has not got.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: Any) -> np.ndarray:
        """The pixels of a frame, as they are stored."""
        rgb = self._reformatter.reformat(frame, format='rgb24', threads=1)
        return rgb.to_ndarray()


def display_orientation(frame: Any) -> int:
    """EXIF orientation that says the same as the display matrix of a frame.

    The matrix maps (x, y) to (a x + c y, b x + d y); angles between the quarter turns
    become the nearest one.
    """
    found = [data for data in frame.side_data if data.type.name == _DISPLAY]
    if not found:
        return 1
    a, b, _, c, d, *_ = np.frombuffer(bytes(found[0]), np.int32).tolist()
    exchanged = abs(b) > abs(a)
    right, down = (c, b) if exchanged else (a, d)
    return _ORIENTATIONS[exchanged, right < 0, down < 0]


def _leave_garbage_behind() -> None:
    """Before a fork: free what waits for the garbage collector, keep the rest from it.

    A forked process would otherwise free a decoder that it inherited, and wait for
    ever for the decoder's threads, which did not come along.
    """
    gc.collect()
    gc.freeze()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(before=_leave_garbage_behind, after_in_parent=gc.unfreeze)
