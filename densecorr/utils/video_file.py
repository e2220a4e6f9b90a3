"""Frames of a video file or GIF, decoded when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np


class VideoFile:
    """A video file or GIF as numbered RGB frames; one decoded frame is in memory.

    Opening decodes the file once to count its frames, since headers may lie. Reading
    in order is fast; reading backwards starts at the beginning again, which is exact
    where seeking is not. Phone videos are turned upright as their header says.

    Args:
        path: file in any format that OpenCV's FFmpeg reads.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no frame that can be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f'There is no video file {str(self.path)!r}.')
        self._capture: Any = self._open()
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.num_frames, self._next = 0, 0
        while self._capture.grab():
            self.num_frames += 1
        if not self.num_frames:
            raise self._unreadable()
        self._next = self.num_frames
        height, width = self.read(0).shape[:2]
        self.size = (height, width)

    @property
    def frame_names(self) -> tuple[str, ...]:
        """``'00000'``, ``'00001'`` and so on."""
        return tuple(f'{index:05d}' for index in range(self.num_frames))

    def read(self, index: int) -> np.ndarray:
        """Frame ``index`` as ``(H, W, 3)`` uint8 RGB.

        Raises:
            IndexError: there is no such frame.
            ValueError: it cannot be decoded.
        """
        if not 0 <= index < self.num_frames:
            raise IndexError(
                f'{self.path} has frames 0 to {self.num_frames - 1}, not {index}.'
            )
        if index < self._next:
            self._capture.release()
            self._capture, self._next = self._open(), 0
        while self._next < index:
            self._capture.grab()
            self._next += 1
        found, bgr = self._capture.read()
        self._next += 1
        if not found:
            raise ValueError(f'Frame {index} of {self.path} cannot be decoded.')
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)

    def _open(self) -> Any:
        capture: Any = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise self._unreadable()
        return capture

    def _unreadable(self) -> ValueError:
        return ValueError(
            f'{self.path} is not a video that can be decoded here (damaged, or an '
            'unknown codec). Convert it, for example: '
            f'ffmpeg -i {self.path.name!r} -c:v libx264 -pix_fmt yuv420p converted.mp4'
        )
