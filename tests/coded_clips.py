"""Small video files of any codec, for tests of reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

SIZE = (48, 64)
OPEN_GROUPS = {'g': '12', 'bf': '3', 'x264-params': 'open-gop=1:scenecut=0'}


def moving_frames(count: int, size: tuple[int, int] = SIZE) -> list[np.ndarray]:
    """``(H, W, 3)`` uint8: a blurred texture that moves by a pixel a frame."""
    rng = np.random.default_rng(0)
    shape = (size[0] + count, size[1] + count, 3)
    ground = cv2.GaussianBlur(rng.integers(0, 255, shape, dtype=np.uint8), (9, 9), 2)
    return [
        np.ascontiguousarray(ground[i : i + size[0], i : i + size[1]])
        for i in range(count)
    ]


def write_coded(
    path: Path, codec: str = 'libx264', count: int = 40, **options: str
) -> Path:
    """A video of :func:`moving_frames`, 25 a second, a key frame every 12."""
    with av.open(str(path), 'w') as container:
        stream: Any = container.add_stream(
            codec, rate=25, options=options or {'g': '12', 'bf': '3'}
        )
        stream.height, stream.width = SIZE
        stream.pix_fmt = 'yuvj420p' if codec == 'mjpeg' else 'yuv420p'
        for index, rgb in enumerate(moving_frames(count)):
            frame = av.VideoFrame.from_ndarray(rgb, format='rgb24')
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def copy_packets(source: Path, target: Path, first: int = 0, earlier: int = 0) -> Path:
    """The same packets in another file.

    Args:
        source: a video file.
        target: the new one.
        first: number of the first packet that is copied.
        earlier: frames by which all times are moved; MP4 hides what is before 0.
    """
    with av.open(str(source)) as old, av.open(str(target), 'w') as new:
        stream: Any = old.streams.video[0]
        template = new.add_stream_from_template(stream)
        tick = int(1 / stream.average_rate / stream.time_base)
        packets = [packet for packet in old.demux(stream) if packet.size]
        for packet in packets[first:]:
            packet.pts -= earlier * tick
            packet.dts -= earlier * tick
            packet.stream = template
            new.mux(packet)
    return target


def key_packets(path: Path) -> list[int]:
    """Numbers of the packets at which decoding can start."""
    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return [i for i, packet in enumerate(packets) if packet.is_keyframe]


def damage(path: Path, start: float = 0.3, end: float = 0.5) -> Path:
    """Zeros in a part of the coded frames."""
    data = bytearray(path.read_bytes())
    begin = data.index(b'mdat') + 4
    length = int.from_bytes(data[begin - 8 : begin - 4], 'big') - 8
    low, high = (begin + int(length * share) for share in (start, end))
    data[low:high] = bytes(high - low)
    path.write_bytes(bytes(data))
    return path


def cut_off(path: Path, share: float = 0.6) -> Path:
    """The first part of the file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
