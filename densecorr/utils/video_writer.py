"""Writing videos that browsers play, and GIFs, one frame at a time."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from PIL import GifImagePlugin, Image

from densecorr.utils.files import full_disk_named, make_folder

SUFFIXES = ('.mp4', '.gif')
_TICKS = 90000  # per second, in which MP4 times are kept: the clock of MPEG
_MAX_DENOMINATOR = 1001  # of frame rates, as in 30000 / 1001
# Colours of HDTV, ITU-T H.273: matrix, primaries, transfer; values from 16 to 235.
_BT709, _LIMITED = 1, 1
_QUALITY = '20'  # constant rate factor of x264: no visible loss, small files
_PRESET = 'veryfast'
# with the macroblock tree, x264 165 by AVX-512 codes equal frames in one of two ways:
# another one for a clip in thousands, depending on what the process did before
_REPEATABLE = 'no-mbtree=1'
_CENTI = 100  # a GIF counts time in hundredths of a second
_SHORTEST = 2  # hundredths; viewers slow down what is shorter
_LEVELS = (0, 64, 128, 192, 255)  # of the even part of a GIF's palette
_COLORS = 256
_EVEN = len(_LEVELS) ** 3


class _Sink(Protocol):
    """What turns frames into the bytes of one format."""

    def write(self, frame: np.ndarray, start: float, end: float) -> None:
        """``(H, W, 3)`` uint8 RGB, shown from ``start`` to ``end`` seconds."""

    def close(self) -> None:
        """Finish the file."""


class VideoWriter:
    """Writes RGB frames to an MP4 (H.264, yuv420p) or, by its suffix, to a GIF.

    The file appears whole under its name when the writer is closed; until then it is
    ``.<name>.tmp``. Used as a context manager it is also closed after an error or
    Ctrl-C, so that what was written until then is kept and plays. Memory does not grow
    with the number of frames, and equal frames give equal bytes.

    Args:
        path: file to write, ``.mp4`` or ``.gif``; missing folders are made.
        size: ``(H, W)`` of the frames in pixels. H.264 needs even sides: an odd one is
            made longer by repeating the last row or column.
        fps: frames per second where :meth:`write` gets no times; also how long the
            last frame is shown if there is only one.

    A GIF has one palette for all frames: the most frequent colours of the first, and
    an even grid of colours for what comes later.

    Raises:
        ValueError: the suffix is another one, or the size or ``fps`` not positive.
    """

    def __init__(self, path: str | Path, size: tuple[int, int], fps: float) -> None:
        self.path, self.size, self.fps = Path(path), (int(size[0]), int(size[1])), fps
        if self.path.suffix.lower() not in SUFFIXES:
            raise ValueError(
                f'a video is written as one of {list(SUFFIXES)}, not {self.path.name!r}'
                '. Give the file one of these suffixes.'
            )
        if min(self.size) < 1 or not 0 < fps < math.inf:
            raise ValueError(
                f'size of the video is {self.size} and fps {fps}; both should be '
                'positive.'
            )
        self.num_frames = 0
        self._pending: tuple[np.ndarray, float] | None = None
        self._gap = 1 / fps
        self._closed = False
        make_folder(self.path.parent)
        self._temporary = self.path.with_name(f'.{self.path.name}.tmp')
        make = _GifSink if self.path.suffix.lower() == '.gif' else _Mp4Sink
        with full_disk_named(self.path):
            self._sink: _Sink = make(self._temporary, self.size, fps)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Add a frame.

        Args:
            frame: ``(H, W, 3)`` uint8 RGB of the writer's size.
            time: seconds at which it is shown; None is ``1 / fps`` after the last one.

        Raises:
            ValueError: the frame has another size or type, the time is not after that
                of the frame before, or the writer is closed.
        """
        if self._closed:
            raise ValueError(f'{self.path} is closed; no frame can be added.')
        if frame.shape != (*self.size, 3) or frame.dtype != np.uint8:
            raise ValueError(
                f'frame {self.num_frames} of {self.path} is {frame.dtype} of shape '
                f'{frame.shape}; frames of this video are uint8 of shape '
                f'{(*self.size, 3)}.'
            )
        previous = self._pending
        if time is None:
            time = 0.0 if previous is None else previous[1] + 1 / self.fps
        if time < 0 or (previous is not None and time <= previous[1]):
            before = 'the start' if previous is None else f'{previous[1]} s'
            raise ValueError(
                f'frame {self.num_frames} of {self.path} is shown at {time} s, not '
                f'after {before}. Times of frames ascend from 0.'
            )
        if previous is not None:
            self._gap = time - previous[1]
            self._emit(time)
        self._pending = (np.array(frame), time)
        self.num_frames += 1

    def close(self) -> None:
        """Finish the file and give it its name; without a frame there is no file."""
        if self._closed:
            return
        self._closed = True
        try:
            try:
                if self._pending is not None:
                    self._emit(self._pending[1] + self._gap)
            finally:
                with full_disk_named(self.path):
                    self._sink.close()
            if self.num_frames:
                self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _emit(self, end: float) -> None:
        """Hand the pending frame on, now that it is known how long it is shown."""
        assert self._pending is not None  # callers have looked
        frame, start = self._pending
        self._pending = None
        with full_disk_named(self.path):
            self._sink.write(frame, start, end)


class _Mp4Sink:
    """H.264 by PyAV, one thread: equal frames give equal bytes on a machine."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        options = {'movflags': '+faststart', 'fflags': '+bitexact'}
        self._file: Any = av.open(str(path), 'w', format='mp4', options=options)
        rate = Fraction(fps).limit_denominator(_MAX_DENOMINATOR)
        self._stream: Any = self._file.add_stream('libx264', rate=rate)
        self._stream.height, self._stream.width = self._even
        self._stream.pix_fmt = 'yuv420p'
        coder = self._stream.codec_context
        coder.time_base, coder.thread_count = Fraction(1, _TICKS), 1
        # without B-frames the order of decoding is that of time, and lengths are exact
        coder.options = {
            'crf': _QUALITY,
            'preset': _PRESET,
            'bf': '0',
            'x264-params': _REPEATABLE,
        }
        coder.colorspace = coder.color_primaries = coder.color_trc = _BT709
        coder.color_range = _LIMITED
        # kept, in this thread: a frame's own reformat() starts threads for each frame
        self._reformatter: Any = VideoReformatter()  # its stub wants numbers
        self._lengths: dict[int, int] = {}  # of frames that the coder still holds

    def write(self, frame: np.ndarray, start: float, end: float) -> None:
        below, right = (a - b for a, b in zip(self._even, frame.shape, strict=False))
        padded = np.pad(frame, ((0, below), (0, right), (0, 0)), 'edge')
        picture: Any = av.VideoFrame.from_ndarray(padded, format='rgb24')
        picture = self._reformatter.reformat(
            picture, format='yuv420p', dst_colorspace='ITU709', threads=1
        )
        picture.time_base = Fraction(1, _TICKS)
        picture.pts = round(start * _TICKS)
        self._lengths[picture.pts] = max(1, round(end * _TICKS) - picture.pts)
        self._mux(picture)

    def close(self) -> None:
        try:
            if self._stream.codec_context.is_open:
                self._mux(None)
        finally:
            self._file.close()

    def _mux(self, picture: Any) -> None:
        for packet in self._stream.encode(picture):
            packet.duration = self._lengths.pop(packet.pts)
            self._file.mux(packet)


class _GifSink:
    """GIF89a with a global palette; pixels are coded by Pillow."""

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self._size = size
        self._handle: BinaryIO = path.open('wb')
        self._palette: Image.Image | None = None

    def write(self, frame: np.ndarray, start: float, end: float) -> None:
        image = Image.fromarray(frame)
        if self._palette is None:
            self._palette = _shared_palette(image)
            self._handle.write(_gif_header(self._size, self._palette))
        indexed = image.quantize(palette=self._palette, dither=Image.Dither.NONE)
        length = max(_SHORTEST, round(end * _CENTI) - round(start * _CENTI))
        milliseconds = 10 * length
        for part in GifImagePlugin.getdata(indexed, duration=milliseconds):
            self._handle.write(part)

    def close(self) -> None:
        if self._palette is not None:
            self._handle.write(b';')  # the end of a GIF
        self._handle.close()


def _shared_palette(image: Image.Image) -> Image.Image:
    """A palette image of the frequent colours of ``image`` and an even grid."""
    frequent = image.quantize(_COLORS - _EVEN, Image.Quantize.MEDIANCUT)
    colors = (frequent.getpalette('RGB') or [])[: 3 * (_COLORS - _EVEN)]
    levels = np.asarray(_LEVELS, np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing='ij'), -1)
    colors = [*colors, *grid.reshape(-1).tolist()]
    palette = Image.new('P', (1, 1))
    palette.putpalette([*colors, *[0] * (3 * _COLORS - len(colors))])
    return palette


def _gif_header(size: tuple[int, int], palette: Image.Image) -> bytes:
    """Signature, size, the palette of 256 colours, and "repeat for ever"."""
    height, width = size
    screen = width.to_bytes(2, 'little') + height.to_bytes(2, 'little')
    colors = bytes(palette.getpalette('RGB') or [])
    repeat = b'\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00'
    return b'GIF89a' + screen + b'\xf7\x00\x00' + colors + repeat
