"""VIP: videos of people with label maps of parts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.datasets.frame_video import FrameVideo, match_labels
from densecorr.datasets.listed_videos import (
    check_choice,
    check_max_frames,
    choose_videos,
    release_facts,
)
from densecorr.registry import DATASETS
from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.data_info import SplitCounts, find_root, load_data_info
from densecorr.utils.images import READERS
from densecorr.utils.list_files import read_lines
from densecorr.utils.video_source import IMAGE_SUFFIXES, find_videos, list_frames

VOID = 255  # label of pixels that do not count
ANNOTATIONS = ('Annotations/Category_ids', 'Annotations')  # the first that is there
_INSIDE = ('VIP_Fine', 'VIP/VIP_Fine', 'VIP')  # of the folder of the archives
_SHOWN = 8  # names or ids in a message


@dataclass(frozen=True)
class PartVideo(FrameVideo):
    """A video whose label maps hold classes of parts.

    Attributes:
        num_classes: labels from this on are refused, but for void.
    """

    num_classes: int = 0

    def read_labels(self, index: int) -> LabelMap:
        """Labels of frame ``index``; void of the first labels is background.

        Raises:
            KeyError: this frame has none.
            ValueError: they have another size than their frame, or hold a label that
                is no class; names the file and the label.
        """
        labels = super().read_labels(index)
        found = np.unique(labels.indices)
        wrong = found[(found >= self.num_classes) & (found != VOID)].tolist()
        if wrong:
            raise ValueError(
                f'Label map {self.labels[index]} has labels {wrong[:_SHOWN]}; classes '
                f'are 0 to {self.num_classes - 1}, {VOID} is void. Take the folder of '
                'categories (Category_ids), not that of humans or instances.'
            )
        if index in self.first_labels:
            return replace(labels, indices=_without_void(labels.indices))
        return labels


@DATASETS.register_module()
class VIPDataset:
    """Videos of one split; an item is a :class:`densecorr.structures.VideoSample`.

    Videos come from ``lists/<split>_videos.txt``, or from the folders of ``Images``
    where there is no list. A list may name videos that the root does not hold: the
    others are evaluated, and ``metainfo['note']`` says so. A tracker may read the first
    label map of a video. Void (255) is kept for the metric, and background in the
    first label map, which a tracker reads.

    Args:
        root: folder of ``Images``, or the one above it that the archives were unpacked
            in; None looks through the default roots.
        split: ``'train'``, ``'val'``, ``'test'`` or any list of the root.
        reader: image decoder, ``'opencv'`` or ``'pillow'``.
        sequences: take only these.
        max_frames: take only the first frames of every video.
        annotations: folder of label maps below the root; None takes
            ``Annotations/Category_ids`` where it is, else ``Annotations``.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = 'val',
        reader: str = 'opencv',
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
        annotations: str | None = None,
    ) -> None:
        check_choice('VIPDataset', 'reader', reader, READERS)
        check_max_frames(max_frames)
        self.info = load_data_info('vip')
        self.root = find_root(self.info, _inside(root, self.info.marker))
        self.split, self.reader, self.max_frames = split, reader, max_frames
        frames, self.listed = self.root / self.info.marker, self._listed()
        names = choose_videos(self.listed, frames, sequences, f'VIP {split}', self.info)
        self.annotations = self._annotations(annotations, names)
        self.videos = [self._video(name) for name in names]
        self.metainfo = self._metainfo()
        if self.metainfo['note']:
            print_log(self.metainfo['note'], logger='current', level=logging.WARNING)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoSample:
        """Video ``index``; reads its first label map, to refuse one without parts."""
        video = self.videos[index]
        first = video.first_labels[0]
        if not video.read_labels(first).indices.any():
            raise ValueError(
                f'The first label map of video {video.name!r}, {video.labels[first]}, '
                'has no part, so there is nothing to propagate. Correct the file, or '
                'leave the video out with sequences=[...].'
            )
        return video.sample()

    def weights(self) -> list[int]:
        """Number of frames of every video, for dealing videos to processes."""
        return [len(video.frames) for video in self.videos]

    def _listed(self) -> list[str]:
        """Names of the split by its list, or by the folders of frames."""
        path = self.root / 'lists' / f'{self.split}_videos.txt'
        if path.is_file():
            return read_video_names(path)
        others = sorted(p.name for p in path.parent.glob('*_videos.txt'))
        if others or self.split not in self.info.counts:
            raise ValueError(
                f'split {self.split!r} of VIP has no list {path}. '
                f'Lists there: {others[:_SHOWN]}. Write one with '
                'tools/prepare_data.py, or choose another split.'
            )
        found = list(find_videos(self.root / self.info.marker))
        print_log(
            f'No list {path}: took all {len(found)} folders of '
            f'{self.root / self.info.marker}.',
            logger='current',
            level=logging.WARNING,
        )
        return found

    def _annotations(self, folder: str | None, names: list[str]) -> str:
        """The folder of label maps, below the root."""
        places = ANNOTATIONS if folder is None else (folder,)
        for place in places:
            if any((self.root / place / name).is_dir() for name in names):
                print_log(f'VIP label maps: {self.root / place}', logger='current')
                return place
        raise FileNotFoundError(
            f'{self.root} has no label maps for {names[:_SHOWN]}: looked for a folder '
            f'of that name in {list(places)}. Unpack the annotations there, or name '
            f'their folder with annotations=...\n{self.info.instructions()}'
        )

    def _video(self, name: str) -> PartVideo:
        frames = list_frames(self.root / self.info.marker / name)
        kept = tuple(frames[: self.max_frames])
        try:
            files = list_frames(self.root / self.annotations / name, ['.png'])
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(
                f'Video {name!r} has frames but no usable label maps: {error} Put them '
                'there, or leave the video out with sequences=[...].\n'
                f'{self.info.instructions()}'
            ) from error
        labels = match_labels(name, frames, files)
        labels = {i: path for i, path in labels.items() if i < len(kept)}
        if not labels:
            raise ValueError(
                f'Video {name!r} has no label map in its first {len(kept)} frames, the '
                f'first one is {files[0]}. Raise max_frames={self.max_frames}.'
            )
        return PartVideo(
            name=name,
            frames=kept,
            labels=labels,
            first_labels=tuple(labels)[:1],
            reader=self.reader,
            num_classes=len(self.info.classes),
        )

    def _metainfo(self) -> dict[str, Any]:
        counts = self.info.counts.get(self.split, SplitCounts(len(self.listed)))
        frames = {video.name: len(video.frames) for video in self.videos}
        labels, total = sum(len(v.labels) for v in self.videos), sum(frames.values())
        others = [f'{labels} of {total} annotations'] if labels != total else []
        facts = release_facts(
            self.info.title, self.split, counts, frames, self.max_frames, others
        )
        return dict(
            **facts,
            annotations=self.annotations,
            palette=self.info.palette,
            classes=list(self.info.classes),
        )


def read_video_names(path: Path) -> list[str]:
    """Video names of a list file, one a line, each once, in its order.

    Raises:
        ValueError: a line is not the name of a folder; names file and line number.
    """
    lines = read_lines(path)
    for line in lines:
        name = PurePosixPath(line.text)
        if len(line.fields) > 1:
            line.refuse(f'{len(line.fields)} fields, one video name is expected.')
        if '/' in line.text.strip('/') or '\\' in line.text or name.name == '..':
            line.refuse('a video name is expected, this is a path.')
        if name.suffix.lower() in IMAGE_SUFFIXES:
            line.refuse('a video name is expected, this is an image.')
    return list(dict.fromkeys(line.text.strip('/') for line in lines))


def _inside(root: str | Path | None, marker: str) -> Path | None:
    """The folder of the release at or below the root that a user names."""
    if root is None:
        return None
    root = Path(root).expanduser()
    places = [root, *(root / inside for inside in _INSIDE)]
    return next((place for place in places if (place / marker).is_dir()), root)


def _without_void(indices: np.ndarray) -> np.ndarray:
    return np.where(indices == VOID, 0, indices).astype(np.uint8)
