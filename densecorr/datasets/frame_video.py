"""One video of frame files and label files, for every dataset of that form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.images import (
    image_size,
    read_image,
    read_label_map,
    resize_nearest,
)

_BLOCK = 1 << 20  # bytes of a file that are in memory while it is hashed


def keep_labels(indices: np.ndarray) -> np.ndarray:
    """``(H, W)`` labels as they are in the file."""
    return indices


@dataclass(frozen=True)
class FrameVideo:
    """Files of one video; nothing is read before it is asked for.

    Attributes:
        name: of the video.
        frames: frame files in time order.
        labels: frame number to label file, ascending.
        first_labels: frame numbers of the labels that a tracker may read.
        reader: of :func:`densecorr.utils.images.read_image`.
        decode: ``(H, W)`` uint8 labels of a file to object numbers.
        resize: (H, W) to which frames and labels are resized by nearest neighbour
            (Pillow's) when they are read; None keeps their size.
    """

    name: str
    frames: tuple[Path, ...]
    labels: Mapping[int, Path]
    first_labels: tuple[int, ...]
    reader: str = 'opencv'
    decode: Callable[[np.ndarray], np.ndarray] = keep_labels
    resize: tuple[int, int] | None = None

    def size(self) -> tuple[int, int]:
        """``(H, W)`` of what is read."""
        return self.resize or self.file_size()

    def file_size(self) -> tuple[int, int]:
        """``(H, W)`` of the file of frame 0, from its header."""
        return image_size(self.frames[0])

    def read_frame(self, index: int) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB of frame ``index``.

        Raises:
            ValueError: it has another size than frame 0.
        """
        frame = read_image(self.frames[index], self.reader)
        self._check_frame(index, frame.shape[:2])
        return frame if self.resize is None else resize_nearest(frame, self.resize)

    def read_labels(self, index: int) -> LabelMap:
        """Labels of frame ``index``.

        Raises:
            KeyError: this frame has none.
            ValueError: they have another size than their frame.
        """
        if index not in self.labels:
            raise KeyError(
                f'frame {index} of video {self.name!r} has no labels. '
                f'Frames with labels: {list(self.labels)}.'
            )
        path = self.labels[index]
        indices, palette = read_label_map(path)
        size = image_size(self.frames[index])
        if indices.shape != size:
            raise ValueError(
                f'Label map {path} is {_text(indices.shape)}, its frame '
                f'{self.frames[index]} is {_text(size)} (H x W). Labels need the size '
                'of their frame: take both of one resolution, or resize the labels '
                'by nearest neighbour.'
            )
        self._check_frame(index, size)
        if self.resize is not None:
            indices = resize_nearest(indices, self.resize)
        return LabelMap(self.decode(indices), palette)

    def hash_inputs(self) -> str:
        """Sha256 in hex of frame names, bytes of frame files, first labels, palette.

        Labels enter as they are read, so another ``resize`` is another hash.

        File bytes pass through in blocks, so memory does not grow with the video.
        """
        digest = hashlib.sha256()
        _feed(digest, 'video', self.name.encode())
        for path in self.frames:
            _feed(digest, 'frame', path.stem.encode())
            digest.update(f'{path.stat().st_size};'.encode())
            with path.open('rb') as handle:
                while block := handle.read(_BLOCK):
                    digest.update(block)
        for index in self.first_labels:
            labels = self.read_labels(index)
            _feed(digest, f'labels {index} {labels.indices.shape}', labels.indices)
            palette = b'' if labels.palette is None else labels.palette
            _feed(digest, 'palette', palette)
        return digest.hexdigest()

    def sample(self) -> VideoSample:
        """The item that a dataset returns."""
        return VideoSample(
            name=self.name,
            frame_names=tuple(path.stem for path in self.frames),
            read_frame=self.read_frame,
            label_frames=tuple(self.labels),
            read_labels=self.read_labels,
            first_label_frames=self.first_labels,
            size=self.size(),
            hash_inputs=self.hash_inputs,
        )

    def _check_frame(self, index: int, size: tuple[int, ...]) -> None:
        first = self.file_size()
        if size != first:
            raise ValueError(
                f'Frame {self.frames[index]} is {_text(size)}, the first frame '
                f'{self.frames[0]} is {_text(first)} (H x W). All frames of a video '
                f'need one size: split or resize video {self.name!r}.'
            )


def match_labels(
    name: str, frames: Iterable[Path], labels: Iterable[Path]
) -> dict[int, Path]:
    """Frame number to label file, by equal stems; not every frame needs labels.

    Raises:
        ValueError: label files without a frame; names them.
    """
    numbers = {path.stem: index for index, path in enumerate(frames)}
    labels = list(labels)
    orphans = [path for path in labels if path.stem not in numbers]
    if orphans:
        raise ValueError(
            f'Video {name!r} has {len(orphans)} label files without a frame of that '
            f'name, the first is {orphans[0]}; its frames are named '
            f'{next(iter(numbers), None)!r} and so on. Put labels and frames of the '
            'same video and release together.'
        )
    return dict(sorted((numbers[path.stem], path) for path in labels))


def _text(size: tuple[int, ...]) -> str:
    return 'x'.join(map(str, size))


def _feed(digest: hashlib._Hash, kind: str, data: bytes | np.ndarray) -> None:
    """Add a field with its kind and length, so that fields cannot run together."""
    content = data.tobytes() if isinstance(data, np.ndarray) else data
    digest.update(f'{kind} {len(content)};'.encode())
    digest.update(content)
