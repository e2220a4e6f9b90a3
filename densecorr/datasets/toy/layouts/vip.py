"""VIP: human parts, here the parts of articulated sprites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from densecorr.datasets.toy.layouts.base import (
    ClipFacts,
    Files,
    Layout,
    Scene,
    Write,
    by_split,
    grey_file,
    has_puppet,
    image_file,
    list_file,
)
from densecorr.utils.files import write_atomic

_ROOT = 'VIP_Fine'
_CLASSES = 20  # of VIP, background among them


def part_instances(
    clip: ClipFacts, t: int
) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Every part of every object as a region of its own.

    Returns:
        ``(H, W)`` uint8 region numbers, 0 = background, and rows (region, part,
        object) in the order of the regions.
    """
    parts, objects = clip.parts(t), clip.label_map(t)
    regions = np.zeros(parts.shape, np.uint8)
    rows: list[tuple[int, int, int]] = []
    pairs = np.unique(np.stack([objects, parts], -1)[parts > 0], axis=0).tolist()
    for number, part in pairs:
        rows.append((len(rows) + 1, part, number))
        regions[(parts == part) & (objects == number)] = len(rows)
    return regions, rows


def _categories(clip: ClipFacts, t: int) -> np.ndarray:
    parts = clip.parts(t)
    if parts.max() >= _CLASSES:
        raise ValueError(
            f'frame {t} of clip {clip.name!r} has part {parts.max()}, but VIP has '
            f'classes 0 to {_CLASSES - 1}. Number the parts from 1 to {_CLASSES - 1}.'
        )
    return parts


def _files(scene: Scene) -> Files:
    clip, files = scene.clip, Files()
    labels = dict(
        Category_ids=lambda t: _categories(clip, t),
        Instance_ids=lambda t: part_instances(clip, t)[0],
        Human_ids=lambda t: np.where(clip.parts(t) > 0, clip.label_map(t), 0),
    )
    for t in range(clip.num_frames):
        stem = f'videos{scene.number}/{t + 1:012d}'
        files[f'{_ROOT}/Images/{stem}.jpg'] = image_file(clip, t)
        for folder, make in labels.items():
            files[f'{_ROOT}/Annotations/{folder}/{stem}.png'] = grey_file(make, t)
        path = f'{_ROOT}/Annotations/Instance_ids/{stem}.txt'
        files[path] = _rows_file(clip, t)
    return files


def _rows_file(clip: ClipFacts, t: int) -> Write:
    def write(path: Path) -> None:
        rows = part_instances(clip, t)[1]
        write_atomic(path, ''.join('{} {} {}\n'.format(*row) for row in rows))

    return write


def _lists(scenes: Sequence[Scene]) -> Files:
    return {
        f'{_ROOT}/lists/{split}_videos.txt': list_file(
            [f'videos{scene.number}' for scene in group]
        )
        for split, group in by_split(scenes).items()
    }


VIP = Layout(
    'vip', 'vip', 'an articulated object in frame 0', has_puppet, _files, _lists
)
