"""Clips, label maps and a small model for the tests of tracking."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from densecorr.utils.video_writer import VideoWriter

FIXED = 1 << 16  # one in the display matrix of an MP4
QUARTER_TURN = (0, FIXED, -FIXED, 0)  # as a phone that is held upright writes it
_CONFIG = """
model = dict(
    type='VideoTracker',
    backbone=dict(type='RawColors', stride=4),
    inputs=dict(color='rgb', mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
)
protocol = dict(
    name='small',
    revision=1,
    davis=dict(
        size={},
        labels=dict(encode='bilinear', decode='bilinear'),
        context=dict(num_frames=3, first='windowed', recent_first=False),
        window=dict(shape='square', radius=4),
        select=dict(topk=3, temperature=0.01),
    ),
)
"""


def write_config(folder: Path) -> Path:
    """A config of colours as features, which needs no weights."""
    path = folder / 'small.py'
    path.write_text(_CONFIG)
    return path


def square_frames(
    count: int, size: tuple[int, int] = (48, 64), side: int = 16
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A red square with a yellow spot that moves 4 pixels a frame, and turns around.

    Returns:
        frames ``(H, W, 3)`` uint8 and label maps ``(H, W)`` uint8 with object 3. The
        spot is 4 x 4 pixels, 4 pixels right of and below the corner of the square.
    """
    rng = np.random.default_rng(0)  # texture: equal colours would tie with each other
    shape = (size[0] // 4, size[1] // 4, 3)
    ground = rng.integers((0, 40, 130), (120, 160, 250), shape)
    body = rng.integers((170, 0, 0), (250, 80, 80), (side // 4, side // 4, 3))
    ground, body = (
        x.astype(np.uint8).repeat(4, 0).repeat(4, 1) for x in (ground, body)
    )
    frames, label_maps = [], []
    for t in range(count):
        room = size[1] - side
        left = abs((4 * t + room // 2) % (2 * room) - room)
        frame = ground.copy()
        label_map = np.zeros(size, np.uint8)
        place = np.s_[16 : 16 + side, left : left + side]
        frame[place], label_map[place] = body, 3
        frame[20:24, left + 4 : left + 8] = (240, 240, 0)
        frames.append(frame)
        label_maps.append(label_map)
    return frames, label_maps


def write_clip(
    path: Path, frames: Sequence[np.ndarray], times: Sequence[float] | None = None
) -> Path:
    """An MP4 or GIF of ten frames per second, or with ``times``."""
    with VideoWriter(path, frames[0].shape[:2], 10) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, None if times is None else times[index])
    return path


def write_png(path: Path, label_map: np.ndarray) -> Path:
    """A grey label map."""
    Image.fromarray(label_map).save(path)
    return path


def set_display_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write (a, b, c, d) into the track header: (x, y) is shown at (ax+cy, bx+dy)."""
    data = bytearray(path.read_bytes())
    start = data.index(b'tkhd') + 44  # ISO 14496-12, 8.3.2, version 0
    a, b, c, d = matrix
    for index, value in enumerate((a, b, 0, c, d, 0)):
        place = start + 4 * index
        data[place : place + 4] = value.to_bytes(4, 'big', signed=True)
    path.write_bytes(bytes(data))
    return path


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two bool maps."""
    return float((one & other).sum() / (one | other).sum())
