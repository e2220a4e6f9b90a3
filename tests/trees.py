"""Tiny dataset trees with known content, written where a test wants them.

The PNGs are written with Pillow, not with the package's own writer, so that a reader
is tested against files of another hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def voc_palette() -> np.ndarray:
    """The DAVIS colours, ``(256, 3)`` uint8."""
    index = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            palette[:, channel] |= ((index >> channel & 1) << 7 - bit).astype(np.uint8)
        index = index >> 3
    return palette


def moving_blobs(
    num_frames: int,
    ids: Iterable[int] = (1, 2),
    size: tuple[int, int] = (64, 96),
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Textured ellipses that move over a textured ground, and their numbers.

    Returns:
        frames ``(t, H, W, 3)`` uint8 RGB and label maps ``(t, H, W)`` uint8. Every
        object is visible in every frame.
    """
    ids, (height, width) = list(ids), size
    rng = np.random.default_rng(seed)
    frames = np.empty((num_frames, height, width, 3), np.uint8)
    label_maps = np.zeros((num_frames, height, width), np.uint8)
    coarse = rng.integers(0, 120, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    frames[:] = coarse.repeat(8, 0).repeat(8, 1)[:height, :width]
    colours = rng.integers(120, 256, (len(ids), 3))
    rows, columns = np.mgrid[:height, :width]
    radius = max(2, height // (3 * max(len(ids), 1)))
    for t in range(num_frames):
        for k, number in enumerate(ids):
            row = (2 * k + 1) * height // (2 * len(ids))
            column = width // 4 + (t * (k + 1)) % (width // 2)
            inside = 4 * (rows - row) ** 2 + (columns - column) ** 2 <= 4 * radius**2
            frames[t][inside] = colours[k]
            label_maps[t][inside] = number
    return frames, label_maps


def write_image(path: Path, image: np.ndarray) -> Path:
    """One RGB ``(H, W, 3)`` or grey ``(H, W)`` uint8 image; the suffix decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = dict(quality=95) if path.suffix.lower() in ('.jpg', '.jpeg') else {}
    Image.fromarray(image).save(path, **options)
    return path


def write_palette_png(path: Path, label_map: np.ndarray) -> Path:
    """One ``(H, W)`` uint8 label map as a palette PNG in the DAVIS colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(label_map)
    image.putpalette(voc_palette().tobytes())
    image.save(path)
    return path


def write_davis_tree(
    root: Path,
    videos: Mapping[str, int] | None = None,
    *,
    year: int = 2017,
    split: str = 'val',
    ids: Iterable[int] | None = None,
    size: tuple[int, int] = (64, 96),
    annotated: Iterable[int] | None = None,
    annotations: str = 'Annotations',
    resolution: str = '480p',
    lists: bool = True,
) -> Path:
    """Write a DAVIS tree of moving blobs; equal arguments give equal files.

    Args:
        root: folder to write into; made where missing.
        videos: name to number of frames, default two videos of 6 and 4 frames.
        year: 2017 writes palette PNGs of several objects, 2016 grey PNGs of 0 and 255.
        split: name of the list.
        ids: object numbers, default (1, 2); year 2016 has one object.
        size: ``(H, W)`` of the frames.
        annotated: frames that get an annotation, default all.
        annotations: name of the annotation folder.
        resolution: name of the folder below ``JPEGImages`` and the annotations.
        lists: whether ``ImageSets/<year>/<split>.txt`` is written.

    Returns:
        ``root``.
    """
    root = Path(root)
    videos = {'blackswan': 6, 'camel': 4} if videos is None else videos
    numbers = [1] if year == 2016 else list(ids or (1, 2))
    for seed, (name, num_frames) in enumerate(videos.items()):
        frames, label_maps = moving_blobs(num_frames, numbers, size, seed)
        for t in range(num_frames):
            stem = f'{name}/{t:05d}'
            write_image(root / 'JPEGImages' / resolution / f'{stem}.jpg', frames[t])
            if annotated is not None and t not in set(annotated):
                continue
            path = root / annotations / resolution / f'{stem}.png'
            if year == 2016:
                write_image(path, 255 * label_maps[t])
            else:
                write_palette_png(path, label_maps[t])
    if lists:
        path = root / 'ImageSets' / str(year) / f'{split}.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'{name}\n' for name in videos), encoding='utf-8')
    return root


def write_vip_tree(
    root: Path,
    videos: Mapping[str, int] | None = None,
    *,
    split: str = 'val',
    ids: Iterable[int] = (2, 13),
    size: tuple[int, int] = (64, 96),
    annotations: str = 'Annotations/Category_ids',
    lists: bool = True,
) -> Path:
    """Write a VIP tree of moving blobs; equal arguments give equal files.

    Args:
        root: folder to write into; made where missing.
        videos: name to number of frames, default two videos of 5 and 3 frames.
        split: name of the list.
        ids: classes of the blobs.
        size: ``(H, W)`` of the frames.
        annotations: folder of the grey label maps.
        lists: whether ``lists/<split>_videos.txt`` is written.

    Returns:
        ``root``.
    """
    root = Path(root)
    videos = {'videos1': 5, 'videos2': 3} if videos is None else videos
    for seed, (name, num_frames) in enumerate(videos.items()):
        frames, label_maps = moving_blobs(num_frames, ids, size, seed)
        for t in range(num_frames):
            stem = f'{name}/{t + 1:012d}'
            write_image(root / 'Images' / f'{stem}.jpg', frames[t])
            write_image(root / annotations / f'{stem}.png', label_maps[t])
    if lists:
        path = root / 'lists' / f'{split}_videos.txt'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(''.join(f'{name}\n' for name in videos), encoding='utf-8')
    return root


def write_ytvos_tree(
    root: Path,
    videos: Mapping[str, Mapping[int, int]] | None = None,
    *,
    split: str = 'valid',
    num_frames: int = 11,
    step: int = 5,
    size: tuple[int, int] = (64, 96),
    truth: bool = True,
    meta: bool = True,
) -> Path:
    """Write a YouTube-VOS tree of moving blobs; equal arguments give equal files.

    Frames and label maps are those of every ``step``-th frame, all frames lie in
    ``<split>_all_frames``. Objects are seen from their first frame on.

    Args:
        root: folder to write into; made where missing.
        videos: name to object number to its first frame, default one video with an
            object from the start and one from frame 5 on.
        split: ``'valid'`` gets first labels only, ``'train'`` all.
        num_frames: with those between the steps.
        step: frames between two that are kept.
        size: ``(H, W)`` of the frames.
        truth: whether ``valid_truth/Annotations`` is written.
        meta: whether ``meta.json`` is written, with category ``kind<number>``.

    Returns:
        ``root``.
    """
    root = Path(root)
    videos = {'3e03f623bb': {1: 0, 2: step}} if videos is None else videos
    for seed, (name, starts) in enumerate(videos.items()):
        frames, label_maps = moving_blobs(num_frames, sorted(starts), size, seed)
        for t in range(num_frames):
            stem = f'{name}/{t:05d}'
            path = root / f'{split}_all_frames/JPEGImages' / f'{stem}.jpg'
            write_image(path, frames[t])
            if t % step:
                continue
            write_image(root / split / 'JPEGImages' / f'{stem}.jpg', frames[t])
            seen = [n for n, first in starts.items() if first <= t]
            labels = np.where(np.isin(label_maps[t], seen), label_maps[t], 0)
            new = [n for n, first in starts.items() if first == t]
            first = np.where(np.isin(labels, new), labels, 0)
            if new or split == 'train':
                kept = labels if split == 'train' else first
                write_palette_png(root / split / f'Annotations/{stem}.png', kept)
            if truth and split == 'valid':
                path = root / f'valid_truth/Annotations/{stem}.png'
                write_palette_png(path, labels)
    if meta:
        entries = {
            name: dict(objects={str(n): dict(category=f'kind{n}') for n in starts})
            for name, starts in videos.items()
        }
        path = root / split / 'meta.json'
        path.write_text(json.dumps(dict(videos=entries)), encoding='utf-8')
    return root
