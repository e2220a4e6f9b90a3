"""YouTube-VOS 2018 and 2019: videos whose objects may appear late."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
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
from densecorr.datasets.ytvos_files import VideoMeta, find_ytvos_root, read_meta
from densecorr.registry import DATASETS
from densecorr.structures import LabelMap, VideoSample
from densecorr.utils.data_info import load_data_info
from densecorr.utils.images import READERS
from densecorr.utils.video_source import find_videos, list_frames

YEARS = (2018, 2019)
SPLITS = ('valid', 'train')
_TRUTH = 'valid_truth/Annotations'  # not in the release, whose server keeps it
_LABELS = 256  # numbers of a label map


@dataclass(frozen=True)
class ObjectVideo(FrameVideo):
    """A video whose objects have their first labels in frames of their own.

    Attributes:
        first_files: frame number to the file of first labels.
        starts: object number to the frame of its first labels. Labels of other
            numbers, and of objects in earlier frames, are background.
        written: stands in ``written_frames`` of the sample.
        categories: object number to the name of its category.
    """

    first_files: Mapping[int, Path] = field(default_factory=dict)
    starts: Mapping[int, int] = field(default_factory=dict)
    written: tuple[int, ...] | None = None
    categories: Mapping[int, str] | None = None

    def read_labels(self, index: int) -> LabelMap:
        """Labels of frame ``index``: of objects that have started.

        Where there are both, an object that starts here has the labels of the file of
        first labels, the others those of the full ones.

        Raises:
            KeyError: this frame has none.
            ValueError: they have another size than their frame.
        """
        labels = super().read_labels(index)
        known = [n for n, first in self.starts.items() if first <= index]
        indices = _keep(labels.indices, known)
        path = self.first_files.get(index)
        if path is not None and path != self.labels[index]:
            new = [n for n, first in self.starts.items() if first == index]
            given = _keep(self.read_first_file(index), new)
            indices = np.where(given > 0, given, _keep(indices, set(known) - set(new)))
        return dataclasses.replace(labels, indices=indices)

    def read_first_file(self, index: int) -> np.ndarray:
        """``(H, W)`` uint8: the file of first labels of a frame, as it is."""
        bare = FrameVideo(self.name, self.frames, self.first_files, (), self.reader)
        return bare.read_labels(index).indices

    def sample(self) -> VideoSample:
        """The item that a dataset returns."""
        return dataclasses.replace(
            super().sample(), written_frames=self.written, categories=self.categories
        )


@DATASETS.register_module()
class YouTubeVOSDataset:
    """Videos of one split; an item is a :class:`densecorr.structures.VideoSample`.

    An object starts in the first file of first labels that shows it:
    ``valid/Annotations`` holds such files only; of ``train/Annotations``, which has
    labels for every fifth frame, it is the first file with that number. Numbers that
    ``meta.json`` names and no file shows are an error.

    Labels to score with are those of ``truth`` for ``valid``, and all for ``train``.
    Videos without are tracked and have no score.

    Args:
        root: folder of ``valid`` and ``train``, or the one above, that holds a folder
            named by the year; None looks through the default roots.
        year: 2018 or 2019, which differ in their videos.
        split: ``'valid'`` or ``'train'``.
        reader: image decoder, ``'opencv'`` or ``'pillow'``.
        sequences: take only these.
        max_frames: take only the first frames of every video.
        all_frames: track through ``<split>_all_frames/JPEGImages`` (30 frames a
            second) and write the results of the frames in ``<split>/JPEGImages``.
        truth: folder of full labels of ``valid``, absolute or below the root; None
            takes ``valid_truth/Annotations`` where it exists.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        year: int = 2018,
        split: str = 'valid',
        reader: str = 'opencv',
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
        all_frames: bool = False,
        truth: str | Path | None = None,
    ) -> None:
        for what, value, allowed in (
            ('year', year, YEARS),
            ('split', split, SPLITS),
            ('reader', reader, READERS),
        ):
            check_choice('YouTubeVOSDataset', what, value, allowed)
        check_max_frames(max_frames)
        self.info = load_data_info('ytvos')
        self.root = find_ytvos_root(self.info, root, year, split)
        self.year, self.split, self.reader = year, split, reader
        self.max_frames, self.all_frames = max_frames, all_frames
        self.truth = self._truth_root(truth)
        self.meta = read_meta(self.root / split / 'meta.json')
        wanted = self._frames_root(split)
        source = self._frames_root(f'{split}_all_frames') if all_frames else wanted
        names = choose_videos(
            list(find_videos(wanted)), source, sequences, self._title(), self.info
        )
        self.videos = [self._video(name, source, wanted) for name in names]
        self.metainfo = self._metainfo()
        if self.metainfo['note']:
            print_log(self.metainfo['note'], logger='current', level=logging.WARNING)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoSample:
        """Video ``index``; reads its first labels.

        Raises:
            ValueError: they have no object, or lack one that ``meta.json`` names.
        """
        video, meta = self.videos[index], self._meta_of(self.videos[index].name)
        starts = self._starts(video, meta)
        first = tuple(sorted(set(starts.values())))
        given = {i: video.first_files[i] for i in first}
        labels = video.labels if self._has_truth(video) else given
        return dataclasses.replace(
            video,
            labels=labels,
            first_labels=first,
            first_files=given,
            starts=starts,
            categories=None if meta is None else meta.categories,
        ).sample()

    def weights(self) -> list[int]:
        """Number of frames of every video, for dealing videos to processes."""
        return [len(video.frames) for video in self.videos]

    def _title(self) -> str:
        return f'{self.info.title} {self.year} {self.split}'

    def _meta_of(self, name: str) -> VideoMeta | None:
        return None if self.meta is None else self.meta.get(name)

    def _has_truth(self, video: ObjectVideo) -> bool:
        return self.split == 'train' or video.labels != video.first_files

    def _starts(self, video: ObjectVideo, meta: VideoMeta | None) -> dict[int, int]:
        """Object number to the frame of its first labels."""
        expected = set() if meta is None else set(meta.categories)
        starts: dict[int, int] = {}
        for index in video.first_files:
            found = np.unique(video.read_first_file(index)).tolist()
            for number in found:
                if number:
                    starts.setdefault(number, index)
            if self.split == 'train' and expected and expected <= set(starts):
                break  # the other files hold nothing new
        cut = len(video.frames) == self.max_frames  # its later files were left out
        missing = sorted(expected - set(starts))
        if missing and not cut:
            raise ValueError(
                f'video {video.name!r}: no file of {self._labels_folder(video.name)} '
                f'shows object {missing[0]}, which meta.json names. Extract the '
                'annotations again, or leave the video out with sequences=[...].'
            )
        if not starts:
            raise ValueError(
                f'video {video.name!r} has no object in its first labels, '
                f'{self._labels_folder(video.name)}; there is nothing to propagate. '
                'Correct the files, or leave the video out with sequences=[...].'
            )
        return starts

    def _labels_folder(self, name: str) -> Path:
        return self.root / self.split / 'Annotations' / name

    def _frames_root(self, part: str) -> Path:
        folder = self.root / part / 'JPEGImages'
        if not folder.is_dir():
            remedy = 'Unpack them there, or set all_frames=False. '
            raise FileNotFoundError(
                f'There is no folder {folder}. '
                f'{remedy if self.all_frames else ""}\n{self.info.instructions()}'
            )
        return folder

    def _truth_root(self, truth: str | Path | None) -> Path | None:
        if self.split == 'train':
            if truth is not None:
                raise ValueError(
                    f'truth={str(truth)!r} is for split valid; the labels of train '
                    'are those of train/Annotations. Leave truth out.'
                )
            return None
        folder = self.root / (_TRUTH if truth is None else Path(truth).expanduser())
        if folder.is_dir():
            return folder
        if truth is not None:
            raise FileNotFoundError(
                f'There is no folder of full labels {folder}. It should hold '
                '<video>/<frame>.png. Without truth=... videos are tracked, not scored.'
            )
        return None

    def _video(self, name: str, source: Path, wanted: Path) -> ObjectVideo:
        frames = list_frames(source / name)
        kept = tuple(frames[: self.max_frames])
        first = self._label_files(name, frames, len(kept))
        labels, truth = first, None if self.truth is None else self.truth / name
        if truth is not None and truth.is_dir():
            found = match_labels(name, frames, list_frames(truth, ['.png']))
            labels = {i: path for i, path in found.items() if i < len(kept)}
            lacking = [first[i].name for i in first if i not in labels]
            if lacking:
                raise ValueError(
                    f'{truth} lacks {lacking[0]}, which has first labels of video '
                    f'{name!r}. Full labels need every such frame.'
                )
        return ObjectVideo(
            name=name,
            frames=kept,
            labels=labels,
            first_labels=(),
            reader=self.reader,
            first_files=first,
            written=_numbers(name, kept, frames, wanted) if source != wanted else None,
        )

    def _label_files(self, name: str, frames: list[Path], kept: int) -> dict[int, Path]:
        """Frame number to the file of first labels, of the frames that are kept."""
        try:
            files = list_frames(self._labels_folder(name), ['.png'])
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(
                f'Video {name!r} has frames but no first labels: {error} Put them '
                'there, or leave the video out with sequences=[...].\n'
                f'{self.info.instructions()}'
            ) from error
        labels = match_labels(name, frames, files)
        first = {i: path for i, path in labels.items() if i < kept}
        if not first:
            raise ValueError(
                f'Video {name!r} has no labels in its first {kept} frames, the first '
                f'ones are {files[0]}. Raise max_frames={self.max_frames}.'
            )
        return first

    def _metainfo(self) -> dict[str, Any]:
        title = f'{self.info.title} {self.year}'
        counts = self.info.expected(f'{self.year}/{self.split}')
        frames = {
            video.name: len(video.frames if video.written is None else video.written)
            for video in self.videos
        }
        seen = read_meta(self.root / 'train' / 'meta.json')
        kinds = {
            c for video in (seen or {}).values() for c in video.categories.values()
        }
        return dict(
            **release_facts(title, self.split, counts, frames, self.max_frames),
            year=self.year,
            all_frames=self.all_frames,
            with_truth=sum(self._has_truth(video) for video in self.videos),
            seen_categories=None if seen is None else sorted(kinds),
            palette=self.info.palette,
        )


def _numbers(
    name: str, kept: Sequence[Path], frames: Sequence[Path], wanted: Path
) -> tuple[int, ...]:
    """Numbers of the kept frames that the folder of wanted frames has, too."""
    stems = {path.stem: index for index, path in enumerate(frames)}
    numbers = []
    for path in list_frames(wanted / name):
        if path.stem not in stems:
            raise ValueError(
                f'{path} is not among the {len(frames)} frames of video {name!r} in '
                f'{frames[0].parent}. Both folders should be of one release.'
            )
        numbers.append(stems[path.stem])
    return tuple(number for number in sorted(numbers) if number < len(kept))


def _keep(indices: np.ndarray, numbers: Iterable[int]) -> np.ndarray:
    """``(H, W)`` labels with all but some numbers set to 0."""
    table = np.zeros(_LABELS, np.uint8)
    for number in numbers:
        table[number] = number
    return table[indices]
