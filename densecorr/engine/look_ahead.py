"""Frames decoded one step ahead, or kept for a while; errors named by frame."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import TracebackType
from typing import NoReturn, TypeVar

import numpy as np

from densecorr.structures import LabelMap, VideoSample

_T = TypeVar('_T')


class VideoError(RuntimeError):
    """A video cannot be evaluated; the message names it and the frame."""


def raise_named(error: Exception, video: VideoSample, index: int) -> NoReturn:
    """Raise an error of frame ``index``, or of the last, with video and frame."""
    if isinstance(error, (VideoError, OSError, MemoryError)):
        raise error
    frame = video.frame_names[min(index, video.num_frames - 1)]
    raise VideoError(f'video {video.name!r}, frame {frame!r}: {error}') from error


class SeenFrames:
    """A video that keeps the frames that were read until their results are written.

    Args:
        video: the video to read.

    Attributes:
        video: to be tracked.
    """

    def __init__(self, video: VideoSample) -> None:
        self._source, self._frames = video, dict[int, np.ndarray]()
        self.video = replace(video, read_frame=self._read)

    def take(self, index: int) -> np.ndarray:
        """Frame ``index``; frames up to it are forgotten."""
        frame = self._frames.get(index)
        self._frames = {i: f for i, f in self._frames.items() if i > index}
        return self._source.read_frame(index) if frame is None else frame

    def _read(self, index: int) -> np.ndarray:
        self._frames[index] = self._source.read_frame(index)
        return self._frames[index]


class LookAhead:
    """A video whose next frame is decoded while the current one is computed.

    Frames may be read in any order; only the frame after the last one read is decoded
    ahead, so at most one frame is kept.

    Args:
        video: the video to read.
    """

    def __init__(self, video: VideoSample) -> None:
        self._source = video
        self._next: tuple[int, Future[np.ndarray]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix='look-ahead')
        self.video = replace(
            video, read_frame=self._read_frame, read_labels=self._read_labels
        )

    def __enter__(self) -> VideoSample:
        return self.video

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _read_frame(self, index: int) -> np.ndarray:
        ahead, self._next = self._next, None
        if ahead is not None and ahead[0] == index:
            frame = self._named(index, ahead[1].result)
        else:
            frame = self._named(index, lambda: self._source.read_frame(index))
        if index + 1 < self._source.num_frames:
            future = self._pool.submit(self._source.read_frame, index + 1)
            self._next = (index + 1, future)
        return frame

    def _read_labels(self, index: int) -> LabelMap:
        return self._named(index, lambda: self._source.read_labels(index))

    def _named(self, index: int, read: Callable[[], _T]) -> _T:
        """What ``read`` returns; its error is raised with the video and the frame."""
        try:
            return read()
        except Exception as error:
            name = self._source.frame_names[index]
            raise VideoError(
                f'video {self._source.name!r}, frame {name!r}: {error}'
            ) from error
