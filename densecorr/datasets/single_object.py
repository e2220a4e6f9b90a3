"""SegTrack-v2 and FBMS-59: videos whose labelled pixels are one foreground.

Not every frame of FBMS-59 has labels; all objects of a frame count as one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.datasets.davis import binary_labels
from densecorr.datasets.frame_video import FrameVideo
from densecorr.datasets.listed_videos import (
    check_choice,
    check_max_frames,
    choose_videos,
)
from densecorr.registry import DATASETS
from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.data_info import find_root, load_data_info, shortfall
from densecorr.utils.images import READERS
from densecorr.utils.video_source import list_frames

_LABELS = ('.png', '.bmp', '.pgm')


@dataclass(frozen=True)
class MergedVideo(FrameVideo):
    """A video whose objects may lie in a label file each.

    Attributes:
        others: frame number to the label files of further objects.
    """

    others: Mapping[int, tuple[Path, ...]] | None = None

    def read_labels(self, index: int) -> LabelMap:
        """Foreground (1) of frame ``index``, see :class:`FrameVideo`."""
        found = super().read_labels(index)
        merged = found.indices
        for path in (self.others or {}).get(index, ()):
            single = replace(self, labels={index: path}, others=None)
            merged = np.maximum(merged, single.read_labels(index).indices)
        return replace(found, indices=merged)


class SingleObjectDataset:
    """Videos of one split; an item is a :class:`densecorr.structures.VideoSample`.

    No label map is for a tracker to read: these sets are for discovery. Frames without
    labels are not scored.

    Args:
        root: folder of the release; None looks through the default roots.
        split: of ``data/data_info``.
        reader: image decoder, ``'opencv'`` or ``'pillow'``.
        sequences: take only these.
        max_frames: take only the first frames of every sequence.
    """

    name: str
    label_places: tuple[str, ...]  # below the root, the first that is there
    default_split: str

    def __init__(
        self,
        root: str | Path | None = None,
        split: str | None = None,
        reader: str = 'opencv',
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
    ) -> None:
        check_choice(type(self).__name__, 'reader', reader, READERS)
        check_max_frames(max_frames)
        self.info = load_data_info(self.name)
        self.split = split or self.default_split
        check_choice(type(self).__name__, 'split', self.split, list(self.info.splits))
        self.root = find_root(self.info, root)
        self.reader, self.max_frames = reader, max_frames
        names = choose_videos(
            list(self.info.splits[self.split]),
            self.root / self.info.marker,
            sequences,
            f'{self.info.title} {self.split}',
            self.info,
        )
        self.label_root = self._label_root()
        self.videos = [self._video(name) for name in names]
        self.metainfo = self._metainfo()
        if self.metainfo['note']:
            print_log(self.metainfo['note'], logger='current', level=logging.WARNING)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoSample:
        return self.videos[index].sample()

    def weights(self) -> list[int]:
        """Number of frames of every video, for dealing videos to processes."""
        return [len(video.frames) for video in self.videos]

    def _label_root(self) -> Path:
        for place in self.label_places:
            if (self.root / place).is_dir():
                return self.root / place
        raise FileNotFoundError(
            f'{self.root} has none of the folders of labels '
            f'{list(self.label_places)}.\n{self.info.instructions()}'
        )

    def _video(self, name: str) -> MergedVideo:
        frames = list_frames(self.root / self.info.marker / name)
        kept = tuple(frames[: self.max_frames])
        files = self._label_files(name, frames)
        files = {i: paths for i, paths in files.items() if i < len(kept)}
        return MergedVideo(
            name=name,
            frames=kept,
            labels={i: paths[0] for i, paths in files.items()},
            first_labels=(),
            reader=self.reader,
            decode=binary_labels,
            others={i: tuple(paths[1:]) for i, paths in files.items()},
        )

    def _label_files(self, name: str, frames: Sequence[Path]) -> dict[int, list[Path]]:
        """Label files of every frame that has any, ascending.

        Raises:
            FileNotFoundError: the sequence has no labels.
            ValueError: a label file has no frame; names it.
        """
        folder = self.label_root / name
        paths = sorted(
            p for p in folder.rglob('*') if p.suffix.lower() in _LABELS and p.is_file()
        )
        if not paths:
            raise FileNotFoundError(
                f'Sequence {name!r} has frames but {folder} has no label files '
                f'({", ".join(_LABELS)}). Put them there, or leave the sequence out '
                f'with sequences=[...].\n{self.info.instructions()}'
            )
        places = {number_of(path): index for index, path in enumerate(frames)}
        found: dict[int, list[Path]] = {}
        for path in paths:
            index = places.get(number_of(path))
            if index is None:
                raise ValueError(
                    f'Label file {path} has no frame of its number; frames are '
                    f'{frames[0].name} to {frames[-1].name}. Put labels and frames of '
                    'the same release together.'
                )
            found.setdefault(index, []).append(path)
        return dict(sorted(found.items()))

    def _metainfo(self) -> dict[str, Any]:
        facts = self.info.splits[self.split]
        frames = {video.name: len(video.frames) for video in self.videos}
        parts = shortfall(facts, frames, None, self.max_frames)
        title = self.info.title
        return dict(
            name=title,
            split=self.split,
            palette=self.info.palette,
            expected_sequences=len(facts),
            found=len(frames),
            complete=not parts,
            note=f'{", ".join(parts)}: not {title} {self.split}' if parts else '',
        )


@DATASETS.register_module()
class SegTrackDataset(SingleObjectDataset):
    """SegTrack-v2: 14 videos; where objects lie in a folder each, they are merged.

    Reference: Li et al., Video Segmentation by Tracking Many Figure-Ground Segments,
    ICCV 2013.
    """

    name = 'segtrack'
    label_places = ('GroundTruth', '../STv2_gt&pred/STv2_gt/GroundTruth')
    default_split = 'all'


@DATASETS.register_module()
class FBMSDataset(SingleObjectDataset):
    """FBMS-59: 30 test videos with labels on some frames, matched by their numbers.

    Reference: Ochs, Malik and Brox, TPAMI 2014.
    """

    name = 'fbms'
    label_places = ('FBMS_annotation',)
    default_split = 'test'


def number_of(path: Path) -> int:
    """The last number of a file's name, of a frame or its labels.

    Raises:
        ValueError: the name has no number.
    """
    numbers = re.findall(r'\d+', path.stem)
    if not numbers:
        raise ValueError(
            f'{path} has no number in its name, so its place in the video is not '
            'known. Name frames and labels by numbers, such as 00000.jpg.'
        )
    return int(numbers[-1])
