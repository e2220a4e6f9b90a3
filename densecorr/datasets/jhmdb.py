"""JHMDB: short clips of one person each, with 15 joints in every frame."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from mmengine.logging import print_log

from densecorr.datasets.frame_video import FrameVideo
from densecorr.datasets.listed_videos import (
    check_choice,
    check_max_frames,
    release_facts,
)
from densecorr.registry import DATASETS
from densecorr.structures import VideoSample
from densecorr.utils.data_info import find_root, load_data_info
from densecorr.utils.images import READERS
from densecorr.utils.jhmdb_files import (
    MARKS,
    ListedClip,
    read_clip_list,
    read_joint_positions,
    read_split,
)
from densecorr.utils.suggest import suggest
from densecorr.utils.video_source import frame_order, list_frames

JOINT_NAMES = (
    'neck', 'belly', 'face', 'right shoulder', 'left shoulder', 'right hip',
    'left hip', 'right elbow', 'left elbow', 'right knee', 'left knee',
    'right wrist', 'left wrist', 'right ankle', 'left ankle',
)  # fmt: skip
_FRAMES, _JOINTS = 'Rename_Images', 'joint_positions'
_SPLIT = '_test_split1.txt'
_COUNTS = dict(train='split1/train', val='split1/test')
_INSIDE = ('JHMDB', 'jhmdb')  # of the folder that lists are relative to
_SHOWN = 8  # names in a message
_EXTRACT = 'python tools/prepare_data.py jhmdb-frames'


@dataclass(frozen=True)
class JointVideo:
    """A clip: its frame files, and joints in all of them.

    Attributes:
        files: frames, without label maps.
        joints: ``(t, j, 2)`` float64 (x, y) in pixels, from 0.
    """

    files: FrameVideo
    joints: np.ndarray

    @property
    def name(self) -> str:
        """``<action>/<clip>``."""
        return self.files.name

    def read_joints(self, index: int) -> np.ndarray:
        """``(j, 2)`` float64 joints of frame ``index``.

        Raises:
            KeyError: there is no such frame.
        """
        if not 0 <= index < len(self.joints):
            raise KeyError(
                f'frame {index} of clip {self.name!r} has no joints; its frames are '
                f'0 to {len(self.joints) - 1}.'
            )
        return self.joints[index].copy()

    def hash_inputs(self) -> str:
        """Sha256 in hex of the name, the names and bytes of frames, the first joints.

        See :meth:`densecorr.datasets.frame_video.FrameVideo.hash_inputs`.
        """
        digest = hashlib.sha256(self.files.hash_inputs().encode())
        first = self.joints[0].astype('<f8')
        digest.update(f'joints {first.shape}'.encode() + first.tobytes())
        return digest.hexdigest()

    def sample(self) -> VideoSample:
        """The item that a dataset returns."""
        return VideoSample(
            name=self.name,
            frame_names=tuple(path.stem for path in self.files.frames),
            read_frame=self.files.read_frame,
            label_frames=tuple(range(len(self.joints))),
            read_labels=self.files.read_labels,  # a KeyError: there are none
            first_label_frames=(0,),
            size=self.files.size(),
            hash_inputs=self.hash_inputs,
            read_joints=self.read_joints,
        )


@DATASETS.register_module()
class JHMDBDataset:
    """Clips of split 1; an item is a :class:`densecorr.structures.VideoSample`.

    Clips come from ``<split>_list.txt`` in the root or beside it, as Spa-then-Temp and
    CRW have it, or else from ``splits/<action>_test_split1.txt``. A list may name clips
    that the root does not hold: the others are evaluated, and ``metainfo['note']``
    says so. A clip ends with its annotation. A tracker may read the joints of frame 0.

    Args:
        root: folder of ``joint_positions`` and ``Rename_Images``, or the one above it
            where it is named ``JHMDB`` or ``jhmdb``; None looks through the default
            roots.
        split: ``'val'`` (the 268 clips that are tested) or ``'train'``.
        reader: image decoder, ``'opencv'`` or ``'pillow'``.
        sequences: take only these; ``'<action>/<clip>'``.
        max_frames: take only the first frames of every clip.
        list_file: a list of another name or place, relative to the root.

    Reference: Jhuang et al., ICCV 2013. Lists: qianduoduolr/Spa-then-Temp 4c94362,
        ajabri/videowalk 047f3f4.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        split: str = 'val',
        reader: str = 'opencv',
        sequences: Sequence[str] | None = None,
        max_frames: int | None = None,
        list_file: str | Path | None = None,
    ) -> None:
        check_choice('JHMDBDataset', 'split', split, tuple(MARKS))
        check_choice('JHMDBDataset', 'reader', reader, READERS)
        check_max_frames(max_frames)
        self.info = load_data_info('jhmdb')
        self.root = find_root(self.info, _inside(root, self.info.marker))
        self.split, self.reader, self.max_frames = split, reader, max_frames
        self.videos = [self._video(clip) for clip in self._choose(sequences, list_file)]
        self.metainfo = self._metainfo()
        if self.metainfo['note']:
            print_log(self.metainfo['note'], logger='current', level=logging.WARNING)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> VideoSample:
        """Clip ``index``."""
        return self.videos[index].sample()

    def weights(self) -> list[int]:
        """Number of frames of every clip, for dealing clips to processes."""
        return [len(video.joints) for video in self.videos]

    def _choose(
        self, sequences: Sequence[str] | str | None, list_file: str | Path | None
    ) -> list[ListedClip]:
        """Clips to evaluate, in the order of the list."""
        listed = {clip.name: clip for clip in self._listed(list_file)}
        if sequences is not None:
            names = [sequences] if isinstance(sequences, str) else list(sequences)
            for name in names:
                if name not in listed:
                    raise ValueError(
                        f'sequence {name!r} is not in JHMDB {self.split} of '
                        f'{self.root}. {suggest(name, listed)}'
                    )
            listed = {name: clip for name, clip in listed.items() if name in names}
        present = [c for c in listed.values() if self._find(c.frames, _FRAMES).is_dir()]
        if not present:
            raise FileNotFoundError(
                f'{self.root} has frames of none of the {len(listed)} clips of JHMDB '
                f'{self.split}: {list(listed)[:_SHOWN]}. Unpack Rename_Images.tar.gz, '
                f'or extract them from the videos: {_EXTRACT}\n'
                f'{self.info.instructions()}'
            )
        return present

    def _listed(self, list_file: str | Path | None) -> list[ListedClip]:
        if list_file is not None:
            return read_clip_list(self.root / Path(list_file).expanduser())
        name = f'{self.split}_list.txt'
        for folder in (self.root, self.root.parent):
            if (folder / name).is_file():
                return read_clip_list(folder / name)
        files = sorted((self.root / 'splits').glob(f'*{_SPLIT}'))
        if not files:
            raise FileNotFoundError(
                f'{self.root} has neither {name} nor splits/<action>{_SPLIT}, so '
                f'nothing tells which clips are {self.split}. Unpack splits.zip '
                f'there.\n{self.info.instructions()}'
            )
        clips = [
            f'{path.name.removesuffix(_SPLIT)}/{clip}'
            for path in files
            for clip in read_split(path, MARKS[self.split])
        ]
        return [
            ListedClip(
                clip, f'{_JOINTS}/{clip}/joint_positions.mat', f'{_FRAMES}/{clip}'
            )
            for clip in clips
        ]

    def _find(self, listed: str, kind: str) -> Path:
        """A path of a list: in the root, by its end from ``kind`` on, or beside it."""
        parts = PurePath(listed).parts
        places = [self.root / listed]
        if kind in parts:
            last = len(parts) - 1 - parts[::-1].index(kind)
            places.append(self.root.joinpath(*parts[last:]))
        places.append(self.root.parent / listed)
        return next((place for place in places if place.exists()), places[-1])

    def _video(self, clip: ListedClip) -> JointVideo:
        folder = self._find(clip.frames, _FRAMES)
        try:
            joints = read_joint_positions(self._find(clip.joints, _JOINTS))
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(
                f'Clip {clip.name!r} has frames but no usable joints: {error} '
                'Or leave the clip out with sequences=[...].'
            ) from error
        frames = _list_clip(clip.name, folder, len(joints))
        kept = frames[: self.max_frames]
        video = FrameVideo(
            name=clip.name,
            frames=tuple(kept),
            labels={},
            first_labels=(),
            reader=self.reader,
        )
        return JointVideo(video, joints[: len(kept)])

    def _metainfo(self) -> dict[str, Any]:
        counts = self.info.expected(_COUNTS[self.split])
        frames = {video.name: len(video.joints) for video in self.videos}
        facts = release_facts(
            self.info.title, self.split, counts, frames, self.max_frames
        )
        return dict(**facts, palette=self.info.palette, joint_names=list(JOINT_NAMES))


def _list_clip(name: str, folder: Path, num_frames: int) -> list[Path]:
    """The frames that are annotated, in time order; frames behind them are left out.

    Raises:
        ValueError: there are fewer, or one in between is missing.
    """
    remedy = (
        f'Unpack Rename_Images.tar.gz again, or extract the clip: {_EXTRACT}. Or leave '
        'the clip out with sequences=[...].'
    )
    try:
        frames = list_frames(folder, ['.png'])
    except ValueError as error:
        raise ValueError(f'Clip {name!r}: {error} {remedy}') from error
    if len(frames) < num_frames:
        raise ValueError(
            f'Clip {name!r} has {len(frames)} frames in {folder}, but joints for '
            f'{num_frames}: it is extracted in part. {remedy}'
        )
    numbers = [frame_order(path.stem)[0] for path in frames[:num_frames]]
    gaps = [b for a, b in itertools.pairwise(numbers) if b != a + 1]
    if gaps:
        raise ValueError(
            f'Clip {name!r} lacks the frame before number {gaps[0]} in {folder}, so '
            f'joints and frames would not match. {remedy}'
        )
    return frames[:num_frames]


def _inside(root: str | Path | None, marker: str) -> Path | None:
    """The folder of the release at or below the root that a user names."""
    if root is None:
        return None
    root = Path(root).expanduser()
    places = [root, *(root / inside for inside in _INSIDE)]
    return next((place for place in places if (place / marker).is_dir()), root)
