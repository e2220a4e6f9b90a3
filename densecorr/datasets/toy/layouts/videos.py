"""Plain video files with a first label map and points, to try a tracker on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_cdt

from densecorr.datasets.toy.layouts.base import (
    ClipFacts,
    Files,
    Layout,
    Scene,
    any_clip,
    palette_file,
)
from densecorr.utils.files import write_atomic
from densecorr.utils.video_writer import VideoWriter

FPS = 10.0


def inner_points(clip: ClipFacts) -> list[tuple[int, int, int, int]]:
    """One point of every object, in the first frame that shows it.

    Returns:
        Rows (frame, object, x, y) by object; the pixel of the object that is farthest
        from its border in rows or columns, the first of several.
    """
    rows = []
    for item in clip.objects:
        for t in range(item.first_frame, clip.num_frames):
            inside = clip.label_map(t) == item.number
            if inside.any():
                rows.append((t, item.number, *_deepest(inside)))
                break
    return rows


def _deepest(inside: np.ndarray) -> tuple[int, int]:
    """Column and row of the pixel farthest from the border of a bool map."""
    padded = np.pad(inside, 1)  # the frame's edge is a border too
    depth = distance_transform_cdt(padded, 'chessboard')[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)


def _files(scene: Scene) -> Files:
    clip = scene.clip

    def video(path: Path) -> None:
        # a stopped VideoWriter keeps what it has, so the name must wait for the end
        unfinished = path.with_name(f'.{path.stem}.part{path.suffix}')
        try:
            with VideoWriter(unfinished, clip.size, FPS) as writer:
                for t in range(clip.num_frames):
                    writer.write(clip.frame(t))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def points(path: Path) -> None:
        rows = inner_points(clip)
        lines = ['frame,id,x,y', *(','.join(map(str, row)) for row in rows)]
        write_atomic(path, ''.join(f'{line}\n' for line in lines))

    return {
        f'{clip.name}.mp4': video,
        f'{clip.name}_first.png': palette_file(clip.label_map, 0),
        f'{clip.name}_points.csv': points,
    }


def _lists(scenes: Sequence[Scene]) -> Files:
    return {}


VIDEO = Layout('video', 'videos', '', any_clip, _files, _lists)
