"""How the results of a video become files, frame by frame."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Protocol

import numpy as np

from densecorr.engine.records import ResultFolder
from densecorr.structures import FrameResult, JointResult, VideoSample
from densecorr.utils.files import write_atomic
from densecorr.utils.images import write_label_map
from densecorr.utils.mat_files import encode_mat
from densecorr.visualization.dul_layout import DULLayout

OUT_LAYOUTS = ('dul',)


class ResultWriter(Protocol):
    """Writes the results of one video."""

    def write(
        self, result: FrameResult | JointResult, frame: np.ndarray | None
    ) -> None:
        """Write the result of a frame.

        Args:
            result: of the tracker.
            frame: ``(H, W, 3)`` uint8 RGB, where ``out_layout`` was given.
        """

    def finish(self) -> None:
        """The video is done."""

    def paths(self) -> list[Path]:
        """Files that a finished video has."""


class LabelMapWriter:
    """A PNG in the colours of the first labels for every frame that is wanted.

    Args:
        folder: receives them.
        video: whose results are written.
    """

    def __init__(self, folder: ResultFolder, video: VideoSample) -> None:
        self.folder, self.video = folder, video

    def write(
        self, result: FrameResult | JointResult, frame: np.ndarray | None
    ) -> None:
        """See :class:`ResultWriter`."""
        assert isinstance(result, FrameResult)  # writers_of has chosen
        if _wanted(self.video, result.index):
            path = self.folder.frame_path(self.video, result.index)
            write_label_map(path, result.label_map, self._palette)

    def finish(self) -> None:
        """See :class:`ResultWriter`."""

    def paths(self) -> list[Path]:
        """See :class:`ResultWriter`."""
        frames = self.video.result_frames
        return [self.folder.frame_path(self.video, index) for index in frames]

    @functools.cached_property
    def _palette(self) -> np.ndarray | None:
        return self.video.read_labels(self.video.first_label_frames[0]).palette


class JointWriter:
    """``joint_positions.mat`` as JHMDB has it, when the video is done.

    Its ``pos_img`` is ``(2, j, t)`` float64 x, y in pixels, the first pixel being 1;
    NaN where a joint is lost.

    Args:
        folder: receives it.
        video: whose results are written.
    """

    def __init__(self, folder: ResultFolder, video: VideoSample) -> None:
        self.path = folder.joints_path(video)
        self._joints: list[np.ndarray] = []

    def write(
        self, result: FrameResult | JointResult, frame: np.ndarray | None
    ) -> None:
        """See :class:`ResultWriter`."""
        assert isinstance(result, JointResult)  # writers_of has chosen
        self._joints.append(result.joints)

    def finish(self) -> None:
        """See :class:`ResultWriter`."""
        positions = np.stack(self._joints, axis=-1).swapaxes(0, 1) + 1.0  # (2, j, t)
        write_atomic(self.path, encode_mat(dict(pos_img=positions)))

    def paths(self) -> list[Path]:
        """See :class:`ResultWriter`."""
        return [self.path]


class DULWriter:
    """``<layer>_vos`` and ``<layer>_vis`` beside the predictions, for DUL's scripts.

    Args:
        folder: receives both.
        video: whose results are written.
        layer: name of the features.
    """

    def __init__(self, folder: ResultFolder, video: VideoSample, layer: str) -> None:
        self.layout, self.video = DULLayout(folder.path, layer), video

    def write(
        self, result: FrameResult | JointResult, frame: np.ndarray | None
    ) -> None:
        """See :class:`ResultWriter`."""
        assert isinstance(result, FrameResult)  # writers_of has chosen
        assert frame is not None  # the loop keeps frames for this writer
        video, index = self.video, result.index
        name, flagged = video.frame_names[index], _wanted(video, index)
        self.layout.write(video.name, name, frame, result.label_map, flagged)

    def finish(self) -> None:
        """See :class:`ResultWriter`."""

    def paths(self) -> list[Path]:
        """See :class:`ResultWriter`."""
        names, frames = self.video.frame_names, self.video.result_frames
        return self.layout.paths(self.video.name, names, [names[i] for i in frames])


def writers_of(
    video: VideoSample, folder: ResultFolder, out_layout: str | None, layer: str
) -> list[ResultWriter]:
    """The writers for a video.

    Args:
        video: with joints or label maps.
        folder: receives the files.
        out_layout: of ``OUT_LAYOUTS``, written besides the predictions; or None.
        layer: name of the features in it.

    Raises:
        ValueError: ``out_layout`` is unknown, or is one for label maps and the video
            has joints.
    """
    check_out_layout(out_layout)
    if video.read_joints is not None:
        if out_layout:
            raise ValueError(
                f'out_layout {out_layout!r} holds label maps, the video has joints.'
            )
        return [JointWriter(folder, video)]
    writers: list[ResultWriter] = [LabelMapWriter(folder, video)]
    return [*writers, DULWriter(folder, video, layer)] if out_layout else writers


def _wanted(video: VideoSample, index: int) -> bool:
    return video.written_frames is None or index in video.written_frames


def check_out_layout(out_layout: str | None) -> None:
    """Refuse a layout that is not known, before anything is computed."""
    if out_layout not in (None, *OUT_LAYOUTS):
        raise ValueError(
            f'out_layout is {out_layout!r}; it should be one of {OUT_LAYOUTS}.'
        )
