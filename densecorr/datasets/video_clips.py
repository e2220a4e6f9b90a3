"""Training clips of any set of videos: folders of frames and video files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.datasets.clip_dataset import ClipDataset, UnfitError
from densecorr.registry import DATASETS, TASK_UTILS
from densecorr.structures import ClipKey
from densecorr.utils.clip_reader import open_clip_source
from densecorr.utils.data_info import data_folders, load_data_info
from densecorr.utils.folds import in_fold
from densecorr.utils.replaced_clips import short_line
from densecorr.utils.split_folders import find_split
from densecorr.utils.suggest import suggest
from densecorr.utils.training_videos import (
    TrainingVideo,
    find_training_videos,
    listed_training_videos,
)
from densecorr.utils.tree_listing import found_tree
from densecorr.utils.video_source import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_SOURCE = ('data', 'split', 'root', 'list_file')


@DATASETS.register_module()
class VideoClips(ClipDataset):
    """Clips of videos; an item is what the pipeline makes of one sample.

    The videos are those of

    - ``data`` and ``split``: a dataset of ``data/data_info``, for example ``'ytvos'``
      and ``'2018/train'``, in its default roots or in ``root``; or
    - ``root`` alone: all folders of frames and video files at any depth; or
    - ``list_file``: a list of images, of folders and numbers of frames, of folders or
      files, or a JSON of videos and frames
      (:func:`densecorr.utils.training_videos.listed_training_videos`). Its paths are
      relative to ``root``, or to the dataset's folder, or to its root or the folder
      above; without both to ``data``, or to the folder of the list.

    Item i shows video ``i % num_videos``; with ``clips_per_epoch`` every item draws its
    video. Folders with too few frames for the sampler
    are left out; files are not opened before they are drawn. A video that cannot be
    read, or turns out too short, is replaced by a clip of another one.

    Args:
        sampler: config of a clip sampler, or an object that ``draw``s frame numbers.
        pipeline: configs of clip transforms, or callables.
        clips_per_video: items of each video in an epoch.
        clips_per_epoch: items of an epoch whatever the number of videos; None counts
            ``clips_per_video``.
        seed: of the run.
        decode: options of reading, see :class:`ClipDataset`.
        without_fold: ``(n, k)``: leave out videos with ``crc32(name) % n == k``, which
            :class:`VideoFrames` evaluates with ``fold=(n, k)``.
        **source: ``data``, ``split``, ``root`` and ``list_file``, each a string or
            None.

    Raises:
        TypeError: an argument is unknown.
        KeyError: the dataset, the sampler or a transform is unknown.
        ValueError: nothing says which videos, the split is unknown, a number
            of clips is below 1, a line of the list is wrong, or no video is long
            enough.
        FileNotFoundError: there are no videos; has the expected tree.
    """

    def __init__(
        self,
        sampler: Mapping[str, Any] | Any,
        pipeline: Sequence[Mapping[str, Any] | Callable[[dict], Any]] = (),
        clips_per_video: int = 1,
        clips_per_epoch: int | None = None,
        seed: int = 0,
        decode: Mapping[str, Any] | None = None,
        without_fold: Sequence[int] | None = None,
        **source: str | None,
    ) -> None:
        super().__init__(pipeline, seed, decode)
        _check_clips(clips_per_video, clips_per_epoch)
        self.clips_per_video, self.clips_per_epoch = clips_per_video, clips_per_epoch
        given = isinstance(sampler, Mapping)
        self.sampler: Any = TASK_UTILS.build(dict(sampler)) if given else sampler
        for name in source:
            if name not in _SOURCE:
                raise TypeError(
                    f'VideoClips takes no argument {name!r}. {suggest(name, _SOURCE)}'
                )
        self._source = source
        found = _find(**source)
        if without_fold is not None:
            found = _without_fold(found, without_fold)
        self.videos = self._long_enough(found)
        self.metainfo = dict(
            name=source.get('data') or 'videos',
            split=source.get('split'),
            num_videos=len(self.videos),
            left_out=len(found) - len(self.videos),
            num_clips=len(self),
        )

    def __len__(self) -> int:
        """Clips of an epoch."""
        if self.clips_per_epoch is not None:
            return self.clips_per_epoch
        return len(self.videos) * self.clips_per_video

    def video_names(self) -> list[str]:
        """Names of the videos that are drawn from."""
        return [video.name for video in self.videos]

    def _long_enough(self, videos: list[TrainingVideo]) -> list[TrainingVideo]:
        """Videos that are not known to be too short."""
        known = [v.num_frames for v in videos if v.num_frames is not None]
        least = self._least(None) if known else 0
        kept = [v for v in videos if v.num_frames is None or v.num_frames >= least]
        if not kept:
            raise ValueError(
                f'none of the {len(videos)} videos of {self._title()} is long enough: '
                f'{type(self.sampler).__name__} takes {least} frames, the longest has '
                f'{max(known)}. Let the sampler take fewer frames or smaller steps, or '
                'take longer videos.'
            )
        if len(kept) < len(videos):
            print_log(
                f'{len(videos) - len(kept)} of {len(videos)} videos of '
                f'{self._title()} have fewer than {least} frames and are left out.',
                logger='current',
            )
        return kept

    def _title(self) -> str:
        return ' '.join(str(value) for value in self._source.values() if value)

    def _least(self, fps: float | None) -> int:
        """Frames of the shortest video that the sampler takes."""
        by_rate = getattr(self.sampler, 'min_frames_at', None)
        return self.sampler.min_frames if by_rate is None else by_rate(fps)

    def _read(
        self, key: ClipKey, attempt: int, rng: np.random.Generator
    ) -> dict[str, Any]:
        number, place = divmod(key.item, len(self.videos))
        visit: int | None = key.epoch * self.clips_per_video + number
        if self.clips_per_epoch is not None:
            visit = None
        if attempt or visit is None:
            place = int(rng.integers(len(self.videos)))
        video = self.videos[place]
        with open_clip_source(video.source(), **self.decode) as source:
            total = source.num_frames
            if video.frames is None and video.num_frames is not None:
                total = min(total, video.num_frames)  # a list may name fewer
            least = self._least(source.fps)
            if total < least:
                raise UnfitError(short_line(video.place, total, least))
            indices = self.sampler.draw(rng, total, source.fps, visit)
            frames = source.read(indices)
        return dict(frames=frames, video=video.name, frame_indices=indices)

    def _remedy(self) -> str:
        return (
            f'Videos: {self._title()}. Copy them again, take other videos, or let the '
            'sampler take fewer frames.'
        )


def _without_fold(
    videos: list[TrainingVideo], fold: Sequence[int]
) -> list[TrainingVideo]:
    """Videos that training may see.

    Raises:
        ValueError: there is none.
    """
    kept = [video for video in videos if not in_fold(video.name, fold)]
    if not kept:
        raise ValueError(
            f'without_fold={tuple(fold)} leaves none of the {len(videos)} videos. Take '
            'more videos, or without_fold=None.'
        )
    return kept


def _check_clips(per_video: int, per_epoch: int | None) -> None:
    if per_video < 1:
        raise ValueError(f'clips_per_video is {per_video}; give at least 1.')
    if per_epoch is None:
        return
    if per_epoch < 1:
        raise ValueError(f'clips_per_epoch is {per_epoch}; give at least 1, or None.')
    if per_video > 1:
        raise ValueError(
            f'clips_per_epoch={per_epoch} draws the video of every clip; leave out '
            f'clips_per_video={per_video}.'
        )


def _find(
    data: str | None = None,
    split: str | None = None,
    root: str | None = None,
    list_file: str | None = None,
) -> list[TrainingVideo]:
    """The videos that the arguments of :class:`VideoClips` name."""
    if data is None and split is not None:
        raise ValueError(f"split={split!r} needs data=..., for example data='ytvos'.")
    if data is None and root is None and list_file is None:
        raise ValueError(
            'VideoClips needs data=... (and split=...), root=... or list_file=...: '
            'which videos should it show?'
        )
    if data is not None:
        return _of_dataset(data, split, root, list_file)
    base = None if root is None else Path(root).expanduser()
    if list_file is not None:
        path = Path(list_file).expanduser()
        return listed_training_videos(path, _bases(path) if base is None else [base])
    found = [] if base is None else find_training_videos(base)
    if not found:
        raise FileNotFoundError(
            f'No video was found in {root!r}. Expected, at any depth:\n'
            f'  ROOT/.../<video>/<frame>   images: {" ".join(sorted(IMAGE_SUFFIXES))}\n'
            f'  ROOT/.../<video>           files: {" ".join(sorted(VIDEO_SUFFIXES))}\n'
            f'{found_tree(Path(root or "."))}'
        )
    return found


def _of_dataset(
    data: str, split: str | None, root: str | None, list_file: str | None
) -> list[TrainingVideo]:
    info = load_data_info(data)
    base, folders = find_split(info, split, root)
    if list_file is not None:
        bases = [*folders, base, base.parent]
        return listed_training_videos(Path(list_file).expanduser(), bases)
    found = [video for folder in folders for video in find_training_videos(folder)]
    if split is not None and split in info.splits:
        found = [video for video in found if video.name in info.splits[split]]
    if not found:
        raise FileNotFoundError(
            f'{folders[0]} holds no video of {info.title} {split}.\n'
            f'{info.instructions()}\n{found_tree(base)}'
        )
    return found


def _bases(list_file: Path) -> list[Path]:
    """Folders that the paths of a list may be relative to."""
    return [*data_folders(), list_file.parent]
