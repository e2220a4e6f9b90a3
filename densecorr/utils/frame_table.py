"""Which frames a video file has, read from its packets without decoding them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.error import FFmpegError

# Codecs whose every packet is one shown frame. VP8 has packets that show nothing, a GIF
# frames that are drawn over others.
_ONE_FRAME_A_PACKET = frozenset(
    ('h264', 'hevc', 'mpeg4', 'mjpeg', 'vp9', 'libvpx-vp9', 'av1', 'libdav1d')
)
_DEFAULT_FPS = 25.0  # of a single frame in a file without a rate


class DamagedFileError(ValueError):
    """A file has fewer packets than its index says, or some that cannot be read."""


@dataclass(frozen=True)
class FrameTable:
    """Frames of a video file in the order in which they are shown.

    Attributes:
        times: ``(n,)`` int64, when each frame is shown, in the units of the stream,
            ascending.
        keys: ``(k,)`` int64, times of frames at which decoding can start, ascending.
        fps: mean frames per second.
    """

    times: np.ndarray
    keys: np.ndarray
    fps: float

    def key_before(self, time: int) -> int:
        """Time of the last key frame at or before ``time``."""
        place = int(np.searchsorted(self.keys, time, side='right')) - 1
        return int(self.keys[max(place, 0)])


def demux_frame_table(container: Any, stream: Any) -> FrameTable | None:
    """Read all packets of a stream; the container is at its end then.

    Returns:
        None where packets do not tell the frames: unknown or equal times, packets that
        are not a frame each, frames before the first key frame.

    Raises:
        DamagedFileError: packets are missing or cannot be read.
    """
    times: list[int] = []
    keys: list[int] = []
    count, plain = 0, stream.codec_context.name in _ONE_FRAME_A_PACKET
    try:
        for packet in container.demux(stream):
            if not packet.size:
                continue  # the end
            if packet.is_corrupt:
                raise DamagedFileError(f'packet {count} is incomplete')
            count += 1
            if packet.pts is None:
                plain = False
                continue
            if packet.is_keyframe:
                keys.append(packet.pts)
            if not packet.is_discard:  # edit lists hide frames
                times.append(packet.pts)
                plain = plain and bool(keys) and packet.pts >= keys[0]
    except FFmpegError as error:
        raise DamagedFileError(f'packet {count} cannot be read, {error}') from error
    expected = len(getattr(stream, 'index_entries', None) or ())
    if 'mp4' in container.format.name and count < expected:
        raise DamagedFileError(f'it ends after {count} of {expected} packets')
    times.sort()
    rising = all(a < b for a, b in itertools.pairwise(times))
    if not (plain and times and rising):
        return None
    return FrameTable(np.array(times), np.sort(keys), _mean_fps(stream, times))


def _mean_fps(stream: Any, times: list[int]) -> float:
    if len(times) == 1:
        return float(stream.average_rate or _DEFAULT_FPS)
    return float((len(times) - 1) / ((times[-1] - times[0]) * stream.time_base))
