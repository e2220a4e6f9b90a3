"""Looking at the files of one video: problems are collected, never raised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from densecorr.engine.progress import FrameProgress
from densecorr.utils.images import image_size, read_image, read_label_map
from densecorr.utils.video_source import list_frames

_T = TypeVar('_T')
_BITS = 8
_HEADER = 26  # bytes of a PNG up to its bit depth and colour type
_DEPTH, _COLOR = 24, 25  # their offsets
_COLORED = (2, 6)  # colour types without palette
_PNG = b'\x89PNG\r\n\x1a\n'


@dataclass
class VideoScan:
    """Files of one video.

    Attributes:
        frames: names without suffix, in order.
        annotations: likewise; empty where none are expected.
        labels: name of an annotation that was decoded to the values in it.
        sizes: name of a frame to (H, W), for those whose header can be read.
        problems: one line each.
    """

    frames: list[str] = field(default_factory=list)
    annotations: list[str] = field(default_factory=list)
    labels: dict[str, list[int]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def scan_video(
    frames: Path,
    annotations: Path | None = None,
    *,
    deep: bool,
    decode: str = 'first',
    same_size: bool = True,
) -> VideoScan:
    """Look at every file of a video.

    Args:
        frames: folder of images.
        annotations: folder of label maps with the names of their frames; None: there
            are none.
        deep: decode every file; otherwise headers are read.
        decode: label maps that are decoded anyway, ``'first'`` or ``'all'``.
        same_size: whether all frames should have one size.
    """
    scan = VideoScan()
    images = attempt(list_frames, frames, scan.problems) or []
    scan.frames = [path.stem for path in images]
    measure = _decoded_size if deep else image_size
    for path in images:
        size = attempt(measure, path, scan.problems)
        if size is not None:
            scan.sizes[path.stem] = size
    usual = next(iter(scan.sizes.values()), ())
    for stem, size in scan.sizes.items():
        if same_size and size != usual:
            scan.problems.append(f'frame {stem} is {_hw(size)}, the first {_hw(usual)}')
    if annotations is not None:
        files = attempt(_list_labels, annotations, scan.problems) or []
        scan.annotations = [path.stem for path in files]
        for path in files:
            _scan_labels(path, scan, deep or decode == 'all' or path is files[0])
    return scan


def attempt(read: Callable[[Path], _T], path: Path, problems: list[str]) -> _T | None:
    """What ``read`` returns; None after noting why it failed."""
    try:
        return read(path)
    except (OSError, ValueError) as error:
        problems.append(str(error))
        return None


def watched(videos: Sequence[str], title: str) -> Iterator[str]:
    """The videos, one after the other, with a bar that tells how far it is."""
    with FrameProgress(len(videos), title, unit='videos') as progress:
        for video in videos:
            yield video
            progress.advance()


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in a folder, sorted; none where it is not there."""
    if not folder.is_dir():
        return []
    found = (path.name for path in folder.iterdir() if path.is_dir())
    return sorted(name for name in found if not name.startswith('.'))


def label_map_size(path: Path) -> tuple[int, int]:
    """Size ``(H, W)`` by the header of a label map.

    Raises:
        ValueError: it is not a PNG of at most 8 bits with one label per pixel.
    """
    size = image_size(path)
    with path.open('rb') as file:
        header = file.read(_HEADER)
    if not header.startswith(_PNG):
        raise ValueError(f'{path} is not a PNG; lossy formats change labels.')
    if header[_DEPTH] > _BITS:
        raise ValueError(
            f'{path} has {header[_DEPTH]} bits per pixel: its ids may be above 255, '
            'but label maps have 8 bits. Renumber the ids and save it with 8 bits.'
        )
    if header[_COLOR] in _COLORED:
        raise ValueError(f'{path} is in colour, without one label per pixel.')
    return size


def _scan_labels(path: Path, scan: VideoScan, decode: bool) -> None:
    if path.stem not in scan.frames:
        scan.problems.append(f'annotation {path.name} has no frame')
        return
    size: tuple[int, ...] | None = attempt(label_map_size, path, scan.problems)
    if size is not None and decode:
        labels = attempt(_read_labels, path, scan.problems)
        size = None if labels is None else labels.shape
        if labels is not None:
            scan.labels[path.stem] = np.unique(labels).tolist()
    expected = scan.sizes.get(path.stem)
    if size is not None and expected is not None and size != expected:
        scan.problems.append(
            f'annotation {path.name} is {_hw(size)}, its frame {_hw(expected)}'
        )


def _list_labels(folder: Path) -> list[Path]:
    return list_frames(folder, ['.png'])


def _decoded_size(path: Path) -> tuple[int, int]:
    height, width, _ = read_image(path).shape
    return height, width


def _read_labels(path: Path) -> np.ndarray:
    return read_label_map(path)[0]


def _hw(size: tuple[int, ...]) -> str:
    return 'x'.join(map(str, size))
