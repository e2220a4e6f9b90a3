"""Points that are followed through a video by the propagation of soft labels.

Points are (x, y) in pixels of the frame; the centre of the first pixel is (0, 0), so a
frame of size (H, W) reaches from (-0.5, -0.5) to (W - 0.5, H - 0.5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.ops.size_policy import Size, SizePlan
from densecorr.structures import VideoSample

from .propagator import LabelPropagator
from .tracker import VideoTracker

_REACH = 2  # cells on each side of the best one that can have a share in a position
_CELLS = 9  # of them that have one: the four of a splat, and some of its blur


@dataclass(frozen=True)
class PointQueries:
    """Points that are given.

    Attributes:
        frames: ``(o,)`` integers, the frame in which each is given.
        ids: ``(o,)`` integers. An id may be given again in a later frame, and is then
            followed from there.
        points: ``(o, 2)`` float64, (x, y) in pixels of the frame.

    Raises:
        ValueError: there is no point, one is given twice in a frame, or a coordinate
            is not finite.
    """

    frames: np.ndarray
    ids: np.ndarray
    points: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.frames):
            raise ValueError('no point is given. Give at least one: frame, id, x, y.')
        pairs = list(zip(self.frames.tolist(), self.ids.tolist(), strict=True))
        pair, times = Counter(pairs).most_common(1)[0]
        if times > 1:
            raise ValueError(
                f'point {pair[1]} is given {times} times in frame {pair[0]}. '
                'Give each point of a frame an id of its own.'
            )
        for row in np.flatnonzero(~np.isfinite(self.points).all(1)):
            raise ValueError(
                f'point {self.ids[row]} in frame {self.frames[row]} is at '
                f'{_text(self.points[row])}; coordinates are finite numbers.'
            )

    def check(self, num_frames: int, size: Size) -> None:
        """Refuse points that a video of this length and size (H, W) does not have.

        Raises:
            ValueError: names the first such point and what is allowed.
        """
        height, width = size
        for frame, number, (x, y) in zip(
            self.frames, self.ids, self.points, strict=True
        ):
            if not 0 <= frame < num_frames:
                raise ValueError(
                    f'point {number} is given in frame {frame}; the clip has frames 0 '
                    f'to {num_frames - 1}.'
                )
            if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                raise ValueError(
                    f'point {number} in frame {frame} is at {_text((x, y))}, outside '
                    f'of the frames of {height}x{width} (H x W): x reaches from -0.5 '
                    f'to {width - 0.5} and y from -0.5 to {height - 0.5}, the centre '
                    'of the first pixel is (0, 0).'
                )


@dataclass(frozen=True)
class PointResult:
    """Where the points of one frame are.

    Attributes:
        index: frame number, from 0.
        ids: ``(k,)`` integers, ascending: the points that were given up to here.
        points: ``(k, 2)`` float64, (x, y) in pixels of the frame; NaN where a point
            is lost.
        confidence: ``(k,)`` float64 in [0, 1], 1 where the point is given and 0 where
            it is lost.
    """

    index: int
    ids: np.ndarray
    points: np.ndarray
    confidence: np.ndarray


def splat(points: Tensor, grid: Size) -> Tensor:
    """Points as soft labels: each shared bilinearly by the cells around it.

    Args:
        points: ``(o, 2)`` (x, y) in cells; the centre of the first cell is (0, 0).
            Points beyond the centres of the outer cells count as on them.
        grid: (h, w).

    Returns:
        ``(o, h, w)`` float32; each map sums to 1.
    """
    height, width = grid
    places = points.double()
    columns = (places[:, :1] - torch.arange(width)).abs()  # (o, w)
    rows = (places[:, 1:] - torch.arange(height)).abs()  # (o, h)
    near = [(1 - distance).clamp_min(0) for distance in (rows, columns)]
    for weights, side, axis in ((near[0], height, 1), (near[1], width, 0)):
        weights[:, 0][places[:, axis] < 0] = 1
        weights[:, -1][places[:, axis] > side - 1] = 1
    return (near[0][:, :, None] * near[1][:, None, :]).float()


def locate(
    soft: Tensor, reach: int = _REACH, cells: int = _CELLS
) -> tuple[Tensor, Tensor]:
    """Points from soft labels: the weighted mean of the best cells around the maximum.

    Args:
        soft: ``(o, h, w)``, not negative.
        reach: cells on each side of the maximum that are looked at.
        cells: how many of them count, those with the highest labels.

    Returns:
        ``(o, 2)`` float64 (x, y) in cells, NaN where a map is zero everywhere, and
        ``(o,)`` float64, the sum of the labels of the cells that count, at most 1.
    """
    soft = soft.detach().cpu().double()
    width = soft.shape[2]
    best = soft.flatten(1).argmax(1)
    window = torch.arange(2 * reach + 1)
    rows = (best // width)[:, None] + window  # of the padded map, (o, s)
    columns = (best % width)[:, None] + window
    padded = F.pad(soft, (reach, reach, reach, reach))
    objects = torch.arange(len(soft))[:, None, None]
    around = padded[objects, rows[:, :, None], columns[:, None, :]].flatten(1)
    weights, chosen = around.topk(min(cells, around.shape[1]), dim=1)  # (o, k)
    total = weights.sum(1)
    side = len(window)
    x = columns.gather(1, chosen % side) - reach
    y = rows.gather(1, chosen // side) - reach
    mean = [(weights * axis).sum(1) / total for axis in (x, y)]
    return torch.stack(mean, 1), total.clamp_max(1)


def to_cells(points: Tensor, plan: SizePlan, grid: Size) -> Tensor:
    """``(o, 2)`` points of the frame to points of the grid, which covers the input."""
    scale = _cells_per_pixel(plan, grid)
    return (plan.to_input(points.double()) + 0.5) * scale - 0.5


def from_cells(points: Tensor, plan: SizePlan, grid: Size) -> Tensor:
    """The reverse of :func:`to_cells`."""
    scale = _cells_per_pixel(plan, grid)
    return plan.to_image((points + 0.5) / scale - 0.5)


class PointPropagator(LabelPropagator):
    """A :class:`LabelPropagator` whose labels do not exclude one another.

    Objects share the pixels of a frame; points may lie in one cell, so a new point
    leaves the labels of the others as they are.
    """

    def _with_new_labels(
        self, soft: Tensor, labels: Tensor, present: Tensor | None
    ) -> Tensor:
        if present is None:
            present = labels.sum(0) > 0
        if bool(present.any()):
            self._references[self._time] = present.to(soft)
        return torch.where(present, labels, soft)


class PointFollower:
    """Follows points with the features and the protocol of a tracker.

    Each given point is a channel of its own. The soft labels are kept soft whatever
    the protocol says, since hard ones need a background. Points that are given in
    several frames cost one propagation per such frame.

    Args:
        tracker: backbone, input and protocol.
    """

    def __init__(self, tracker: VideoTracker) -> None:
        self.tracker, protocol = tracker, tracker.protocol
        self.propagator = PointPropagator(
            protocol.context,
            protocol.window,
            protocol.select,
            protocol.normalize,
            hard=False,
            limits=tracker.propagator.limits,
        )

    def track(self, video: VideoSample, queries: PointQueries) -> Iterator[PointResult]:
        """Points of all frames, in order, each as soon as they are known.

        Reads ``read_frame``, from the first frame on that has a point.

        Raises:
            ValueError: the video does not have a point that is given.
        """
        queries.check(video.num_frames, video.size)
        plan = self.tracker.inputs.plan(*video.size)
        first = int(queries.frames.min())
        for index in range(first):
            yield _result(index, queries, np.empty((0, 2)), np.empty(0))
        self.propagator.start()
        for start in range(first, video.num_frames, self.tracker.chunk):
            numbers = range(start, min(start + self.tracker.chunk, video.num_frames))
            maps = self.tracker.frame_features(video, numbers)
            for index, feats in zip(numbers, maps, strict=True):
                yield self._step(index, feats, queries, plan)

    def _step(
        self, index: int, feats: Tensor, queries: PointQueries, plan: SizePlan
    ) -> PointResult:
        """Points of the next frame."""
        grid = (feats.shape[1], feats.shape[2])
        new = queries.frames == index
        labels = present = None
        if new.any():
            present = torch.from_numpy(new).to(feats.device)
            places = to_cells(torch.from_numpy(queries.points), plan, grid)
            labels = splat(places, grid).to(feats.device) * present[:, None, None]
        soft = self.propagator.step(feats, labels, present)
        places, confidence = locate(soft)
        points = from_cells(places, plan, grid).numpy()
        points[new], values = queries.points[new], confidence.numpy()
        values[new] = 1
        return _result(index, queries, points, values)


def _result(
    index: int, queries: PointQueries, points: np.ndarray, confidence: np.ndarray
) -> PointResult:
    """What is said about frame ``index``: of each id the point given last."""
    rows: dict[int, int] = {}
    for row in np.argsort(queries.frames, kind='stable'):
        if queries.frames[row] <= index:
            rows[int(queries.ids[row])] = int(row)
    ids = sorted(rows)
    chosen = [rows[number] for number in ids]
    return PointResult(index, np.array(ids, int), points[chosen], confidence[chosen])


def _cells_per_pixel(plan: SizePlan, grid: Size) -> Tensor:
    height, width = plan.input_size
    return torch.tensor([grid[1] / width, grid[0] / height], dtype=torch.float64)


def _text(point: np.ndarray | tuple[float, float]) -> str:
    return f'(x, y) = ({point[0]:g}, {point[1]:g})'
