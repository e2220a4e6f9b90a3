"""Frames of one video with their predictions and truths, small enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from densecorr.apis.report.numbers import percent
from densecorr.apis.report.results import VideoFiles
from densecorr.visualization.difference import (
    difference_map,
    difference_shares,
    encode_runs,
)
from densecorr.visualization.overlay import jpeg_uri, shrink

_DIGITS = 4  # of a place as a share of the width or height
_FARTHEST = 3  # joints that are named below a picture
_AROUND = 20  # a joint is so large a part of the shorter side
_EMPTY = (240, 320)  # size of a frame of which nothing is known but its joints


class Shelf(Protocol):
    """Pictures of one video; every frame is read once."""

    video: VideoFiles

    def picture(
        self, index: int, width: int, quality: int, truth: bool = True
    ) -> dict[str, Any] | None:
        """A picture for the page; None where there is nothing to show.

        Args:
            index: of the frame.
            width: of the picture in pixels, at most.
            quality: of its JPEG.
            truth: whether the truth is packed, too.

        Returns:
            ``width``, ``height``, ``image`` (or None), ``pred`` and ``truth``, as the
            scripts unpack them (or None), and ``compared``, whether the two can be.
        """

    def facts(self, index: int) -> list[str]:
        """What the page says below the picture."""

    def size(self, index: int) -> tuple[int, int] | None:
        """``(H, W)`` of the frame before shrinking."""

    def wrong_places(self, index: int) -> np.ndarray | None:
        """Where to look first: a bool map of any size; None where nothing is known."""


def shelf_of(video: VideoFiles, width: int) -> Shelf:
    """The shelf that fits a video.

    Args:
        video: its files.
        width: of the largest picture.
    """
    kind = JointShelf if video.has_joints else LabelShelf
    return kind(video, width)


class LabelShelf:
    """Frames with label maps.

    Args:
        video: its files.
        width: of the largest picture.
    """

    def __init__(self, video: VideoFiles, width: int) -> None:
        self.video, self.width = video, width
        self._kept: dict[int, dict[str, Any]] = {}

    def picture(
        self, index: int, width: int, quality: int, truth: bool = True
    ) -> dict[str, Any] | None:
        """See :class:`Shelf`."""
        kept = self._frame(index)
        image, pred = kept['image'], kept['pred']
        other = kept['truth'] if truth else None
        if not width or all(part is None for part in (image, pred, other)):
            return None
        image = None if image is None else shrink(image, width)
        maps = [None if m is None else shrink_labels(m, width) for m in (pred, other)]
        shown = next(part for part in (image, *maps) if part is not None)
        height, width = shown.shape[:2]
        runs = [
            encode_runs(m) if m is not None and m.shape == (height, width) else None
            for m in maps
        ]
        return dict(
            width=width,
            height=height,
            image=None if image is None else jpeg_uri(image, quality),
            pred=runs[0],
            truth=runs[1],
            compared=None not in runs and not self._is_given(index),
        )

    def facts(self, index: int) -> list[str]:
        """Shares of pixels by kind of difference."""
        titles = dict(missed='missed', false='false', wrong=f'wrong {self.video.thing}')
        shares = self._frame(index)['shares'] or {}
        return [f'{titles[name]} {percent(value)} %' for name, value in shares.items()]

    def size(self, index: int) -> tuple[int, int] | None:
        """See :class:`Shelf`."""
        return self._frame(index)['size']

    def wrong_places(self, index: int) -> np.ndarray | None:
        """Wrong pixels, or all labelled ones where nothing is wrong."""
        pred, truth = self._frame(index)['pred'], self._frame(index)['truth']
        if pred is None:
            return None
        if truth is None or truth.shape != pred.shape or self._is_given(index):
            return pred > 0
        wrong = difference_map(pred, truth) > 0
        return wrong if wrong.any() else pred > 0

    def _is_given(self, index: int) -> bool:
        """Whether the labels of a frame are what was given, of a part of the objects.

        There is nothing to compare with in a video that has no other labels.
        """
        sample, video = self.video.sample, self.video
        if sample is None or video.is_compared or video.scores:
            return False
        return index in sample.first_label_frames

    def _frame(self, index: int) -> dict[str, Any]:
        """Image and label maps of a frame, at most as wide as the largest picture."""
        if index not in self._kept:
            image = self.video.image(index)
            pred, truth = self.video.prediction(index), self.video.truth(index)
            full = next((m for m in (image, pred, truth) if m is not None), None)
            shares, width = None, self.width
            other = None if self._is_given(index) else truth
            if pred is not None and other is not None and pred.shape == other.shape:
                shares = difference_shares(pred, other)
            self._kept[index] = dict(
                image=None if image is None else shrink(image, width),
                pred=None if pred is None else shrink_labels(pred, width),
                truth=None if truth is None else shrink_labels(truth, width),
                shares=shares,
                size=None if full is None else full.shape[:2],
            )
        return self._kept[index]


def shrink_labels(label_map: np.ndarray, max_width: int) -> np.ndarray:
    """A label map at the size that :func:`shrink` gives its frame, nearest pixel."""
    height, width = label_map.shape
    if width <= max_width:
        return label_map
    size = (max_width, max(1, round(height * max_width / width)))
    return cv2.resize(label_map, size, interpolation=cv2.INTER_NEAREST)


class JointShelf:
    """Frames with joints.

    Args:
        video: its files.
        width: of the largest picture.
    """

    def __init__(self, video: VideoFiles, width: int) -> None:
        self.video, self.width = video, width
        self._images: dict[int, np.ndarray | None] = {}

    def picture(
        self, index: int, width: int, quality: int, truth: bool = True
    ) -> dict[str, Any] | None:
        """See :class:`Shelf`."""
        image, size = self._image(index), self.size(index)
        pred, other = self.video.joints(index), self.video.true_joints(index)
        other = other if truth else None
        if not width or all(part is None for part in (image, pred, other)):
            return None
        image = None if image is None else shrink(image, width)
        wide = min(width, size[1])
        height = round(size[0] * wide / size[1])
        if image is not None:
            height, wide = image.shape[:2]
        places = [None if j is None else _shares_of(j, size) for j in (pred, other)]
        return dict(
            width=wide,
            height=height,
            image=None if image is None else jpeg_uri(image, quality),
            pred=places[0],
            truth=places[1],
            compared=None not in places,
        )

    def facts(self, index: int) -> list[str]:
        """Lost joints, and those that are farthest from their true places."""
        pred, truth = self.video.joints(index), self.video.true_joints(index)
        if pred is None:
            return []
        names = joint_names(self.video.names, len(pred))
        lost = [names[j] for j in np.flatnonzero(np.isnan(pred).any(1))]
        facts = [f'lost: {", ".join(lost)}'] if lost else []
        if truth is not None and truth.shape == pred.shape:
            distances = np.hypot(*(pred - truth).T)
            known = np.flatnonzero(np.isfinite(distances))
            worst = known[np.argsort(-distances[known], kind='stable')][:_FARTHEST]
            far = [f'{names[j]} {distances[j]:.0f}' for j in worst]
            facts += [f'farthest, in pixels: {", ".join(far)}'] if far else []
        return facts

    def size(self, index: int) -> tuple[int, int]:
        """See :class:`Shelf`; without the dataset about what the joints take."""
        sample = self.video.sample
        if sample is not None:
            return sample.size
        if self.video.tracked is None or np.isnan(self.video.tracked).all():
            return _EMPTY
        x, y = np.nanmax(self.video.tracked, axis=(0, 1))
        return max(_EMPTY[0], int(y) + 1), max(_EMPTY[1], int(x) + 1)

    def wrong_places(self, index: int) -> np.ndarray | None:
        """The joint that is farthest from its true place, or all joints."""
        pred, truth = self.video.joints(index), self.video.true_joints(index)
        if pred is None:
            return None
        height, width = self.size(index)
        known = np.isfinite(pred).all(1)
        chosen = pred[known]
        if truth is not None and truth.shape == pred.shape and known.any():
            chosen = chosen[[np.hypot(*(pred - truth)[known].T).argmax()]]
        radius = max(1, min(height, width) // _AROUND)
        found = np.zeros((height, width), np.uint8)
        for x, y in np.clip(chosen, 0, (width - 1, height - 1)).round().astype(int):
            cv2.circle(found, (int(x), int(y)), radius, 1, -1)
        return found > 0

    def _image(self, index: int) -> np.ndarray | None:
        if index not in self._images:
            image = self.video.image(index)
            self._images[index] = None if image is None else shrink(image, self.width)
        return self._images[index]


def joint_names(names: Sequence[str], number: int) -> list[str]:
    """Names of joints, or their numbers from 1 where they are not known."""
    if len(names) == number:
        return list(names)
    return [f'joint {place}' for place in range(1, number + 1)]


def _shares_of(
    joints: np.ndarray, size: tuple[int, int]
) -> list[tuple[float, float] | None]:
    """Places as shares of width and height, None for a lost joint."""
    shares = (joints + 0.5) / (size[1], size[0])
    return [
        (round(x, _DIGITS), round(y, _DIGITS)) if np.isfinite((x, y)).all() else None
        for x, y in shares.tolist()
    ]
