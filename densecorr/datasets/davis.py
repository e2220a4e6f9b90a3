"""DAVIS 2016 and 2017: videos with label maps of one or several objects."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.datasets.frame_video import FrameVideo, keep_labels, match_labels
from densecorr.datasets.listed_videos import check_choice, check_max_frames
from densecorr.registry import DATASETS
from densecorr.structures import VideoSample
from densecorr.utils.data_info import SequenceInfo, find_root, load_data_info, shortfall
from densecorr.utils.images import READERS
from densecorr.utils.suggest import suggest
from densecorr.utils.video_source import find_videos, list_frames

VOID = 255  # label of pixels that do not count (unsupervised task)
YEARS = (2016, 2017)
TASKS = ('semi-supervised', 'unsupervised')
_UNSUPERVISED_LISTS = 2019  # year folder of the lists of the unsupervised test sets
_FIRST_LABELS_ONLY = ('test-dev', 'test-challenge')  # the others are not published
_SHOWN = 8  # names in a message


def binary_labels(indices: np.ndarray) -> np.ndarray:
    """``(H, W)`` labels of DAVIS 2016: all that is not background is object 1."""
    return (indices > 0).astype(np.uint8)


def void_to_background(indices: np.ndarray) -> np.ndarray:
    """``(H, W)`` labels with 255 set to 0, as the semi-supervised task has it."""
    return np.where(indices == VOID, 0, indices).astype(np.uint8)


@DATASETS.register_module()
class DAVISDataset:
    """Videos of one split; an item is a :class:`densecorr.structures.VideoSample`.

    Sequences come from ``ImageSets/<year>/<split>.txt``, from the 2016 release's
    ``ImageSets/<resolution>/<split>.txt``, or else from the folders of frames (those
    that belong to other splits are left out). A list may name sequences that the root
    does not hold: the others are evaluated, and ``metainfo['note']`` says so.

    A tracker may read the first label map of a video in the semi-supervised task, none
    in the unsupervised task. Void (255) is background in the former, kept in the
    latter.

    Args:
        root: folder of the release; None looks through the default roots.
        split: ``'train'``, ``'val'``, ``'test-dev'`` or any list of the root.
        year: 2017 keeps object numbers, 2016 makes one object of all that is labelled.
        task: ``'semi-supervised'`` or ``'unsupervised'``, which has its own folder of
            annotations.
        reader: image decoder, ``'opencv'`` or ``'pillow'``.
        sequences: take only these.
        max_frames: take only the first frames of every sequence.
        folders: names that differ from the release's: ``resolution``, default
            ``'480p'``, below ``JPEGImages`` and the annotations, and ``annotations``,
            default by task.

    Reference: Pont-Tuset et al., arXiv:1704.00675; Caelles et al., arXiv:1905.00737.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = 'val',
        year: int = 2017,
        task: str = 'semi-supervised',
        reader: str = 'opencv',
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
        folders: Mapping[str, str] | None = None,
    ) -> None:
        check_choice('DAVISDataset', 'year', year, YEARS)
        check_choice('DAVISDataset', 'task', task, TASKS)
        check_choice('DAVISDataset', 'reader', reader, READERS)
        check_max_frames(max_frames)
        self.info = load_data_info('davis')
        self.root = find_root(self.info, root)
        self.split, self.year, self.task, self.reader = split, year, task, reader
        self.max_frames = max_frames
        self.folders = dict(
            resolution='480p', annotations=default_annotations(year, task)
        )
        for key, value in (folders or {}).items():
            check_choice('DAVISDataset', 'a key of folders', key, tuple(self.folders))
            self.folders[key] = value
        self.lacking: list[str] = []  # in the list, not in the root
        self.videos = [self._video(name) for name in self._choose(sequences)]
        self.metainfo = self._metainfo()
        if self.metainfo['note']:
            print_log(self.metainfo['note'], logger='current', level=logging.WARNING)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoSample:
        """Video ``index``; reads its first label map, to refuse one without objects."""
        video = self.videos[index]
        for first in video.first_labels:
            if not video.read_labels(first).indices.any():
                raise ValueError(
                    f'The first label map of sequence {video.name!r}, '
                    f'{video.labels[first]}, has no object, so there is nothing to '
                    'propagate. Correct the file, or leave the sequence out with '
                    'sequences=[...].'
                )
        return video.sample()

    def weights(self) -> list[int]:
        """Number of frames of every video, for dealing videos to processes."""
        return [len(video.frames) for video in self.videos]

    def _choose(self, sequences: Sequence[str] | None) -> list[str]:
        """Names of the sequences to evaluate, in the order of the list."""
        listed = self._listed()
        if sequences is not None:
            names = [sequences] if isinstance(sequences, str) else list(sequences)
            for name in names:
                if name not in listed:
                    raise ValueError(
                        f'sequence {name!r} is not in DAVIS-{self.year} {self.split} '
                        f'of {self.root}. {suggest(name, listed)}'
                    )
            listed = [name for name in listed if name in names]
        frames = self._frames_root()
        present = [name for name in listed if (frames / name).is_dir()]
        self.lacking = [name for name in listed if name not in present]
        if not present:
            raise FileNotFoundError(
                f'{frames} holds none of the {len(listed)} sequences of DAVIS-'
                f'{self.year} {self.split}: {listed[:_SHOWN]}.\n'
                f'{self.info.instructions()}'
            )
        return present

    def _frames_root(self) -> Path:
        folder = self.root / 'JPEGImages' / self.folders['resolution']
        if not folder.is_dir():
            held = sorted(p.name for p in folder.parent.iterdir() if p.is_dir())
            raise FileNotFoundError(
                f'There is no folder {folder}. {folder.parent} holds {held[:_SHOWN]}. '
                "Set folders=dict(resolution=...) to one of them, '480p' is usual.\n"
                f'{self.info.instructions()}'
            )
        return folder

    def _listed(self) -> list[str]:
        """Names of the split by its list file, or by the folders of frames."""
        sets, name = self.root / 'ImageSets', f'{self.split}.txt'
        places = [sets / str(self.year), sets / self.folders['resolution']]
        if self.task == 'unsupervised':
            places.insert(1, sets / str(_UNSUPERVISED_LISTS))
        for place in places:
            if (place / name).is_file():
                return read_list(place / name)
        known = {key.partition('/')[2] for key in self.info.splits}
        known |= {path.stem for place in places for path in place.glob('*.txt')}
        if self.split not in known:
            raise ValueError(
                f'split {self.split!r} of DAVIS-{self.year} is unknown: no list '
                f'{places[0] / name}. {suggest(self.split, known)}'
            )
        frames = self._frames_root()
        own = self.info.splits.get(f'{self.year}/{self.split}', {})
        others = {n for names in self.info.splits.values() for n in names} - set(own)
        found = [name for name in find_videos(frames) if name not in others]
        print_log(
            f'No list {places[0] / name}: took {len(found)} folders of {frames}.',
            logger='current',
        )
        return found

    def _video(self, name: str) -> FrameVideo:
        frames = list_frames(self._frames_root() / name)
        files = self._label_files(name)
        labels = match_labels(name, frames, files)
        kept = tuple(frames[: self.max_frames])
        labels = {i: path for i, path in labels.items() if i < len(kept)}
        supervised = self.task == 'semi-supervised'
        if supervised and not labels:
            raise ValueError(
                f'Sequence {name!r} has no annotation in its first {len(kept)} '
                f'frames, the first one is {files[0]}. Raise max_frames='
                f'{self.max_frames}.'
            )
        decode = void_to_background if supervised else keep_labels
        return FrameVideo(
            name=name,
            frames=kept,
            labels=labels,
            first_labels=tuple(labels)[:1] if supervised else (),
            reader=self.reader,
            decode=binary_labels if self.year == YEARS[0] else decode,
        )

    def _label_files(self, name: str) -> list[Path]:
        base = self.root / self.folders['annotations'] / self.folders['resolution']
        folder = base / name
        try:
            return list_frames(folder, ['.png'])
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(
                f'Sequence {name!r} has frames but no usable annotations: {error} '
                'Put them there, or leave the sequence out with sequences=[...].\n'
                f'{self.info.instructions()}'
            ) from error

    def _metainfo(self) -> dict[str, Any]:
        title, annotations = f'DAVIS-{self.year}', self.folders['annotations']
        facts = self.info.splits.get(f'{self.year}/{self.split}')
        if facts is None:  # a list of the user's own is its own measure
            facts = {name: SequenceInfo(None, None) for name in self._listed()}
        frames = {video.name: len(video.frames) for video in self.videos}
        labels = {video.name: len(video.labels) for video in self.videos}
        every = None if self.split in _FIRST_LABELS_ONLY else labels
        parts = shortfall(facts, frames, every, self.max_frames)
        if annotations != default_annotations(self.year, self.task):
            parts.append(f'labels of {annotations}')
        return dict(
            name=title,
            split=self.split,
            year=self.year,
            task=self.task,
            resolution=self.folders['resolution'],
            palette=self.info.palette,
            expected_sequences=len(facts),
            found=sum(name in facts for name in frames),  # of the expected ones
            complete=not parts,
            note=f'{", ".join(parts)}: not {title} {self.split}' if parts else '',
        )


def default_annotations(year: int, task: str) -> str:
    """Folder of annotations of a release; 2016 has one for both tasks."""
    own_folder = task == 'unsupervised' and year != YEARS[0]
    return 'Annotations_unsupervised' if own_folder else 'Annotations'


def read_list(path: Path) -> list[str]:
    """Sequence names of a list file, each once, in its order.

    A line is a name, or (2016) the paths of a frame and its annotation.
    """
    text = path.read_text(encoding='utf-8-sig')
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    names = [Path(x.split()[0]).parent.name if '/' in x else x for x in lines]
    if not names:
        raise ValueError(f'{path} is empty. Write one sequence name a line.')
    return list(dict.fromkeys(names))
