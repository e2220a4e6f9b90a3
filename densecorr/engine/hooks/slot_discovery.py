"""How well slots meet the objects of videos that a method does not train on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from densecorr.engine.hooks.due import check_unit, is_due
from densecorr.engine.hooks.parts import method_of
from densecorr.engine.hooks.preview import random_states_kept
from densecorr.evaluation.functional.davis import mask_scores
from densecorr.evaluation.functional.discovery import (
    MAX_PROPOSALS,
    Matched,
    exclusive_map,
    largest_tracks,
    link_slots,
    match_per_frame,
    match_per_sequence,
)
from densecorr.models.methods.slot_candidates import video_candidates
from densecorr.ops.slots import enlarge_areas
from densecorr.registry import DATASETS, HOOKS
from densecorr.structures import VideoSample

_VOID = 255  # not scored
_NO_OBJECT = (0, _VOID)
_PROTOCOLS = ('per_frame_oracle', 'davis')


@HOOKS.register_module()
class SlotDiscoveryHook(Hook):
    """Scores what slots propose on labelled videos, by two protocols.

    Before the first iteration, at every interval and at the end, the visualizer gets
    ``J&F``, ``J`` and ``F``, means over objects and labelled frames, as
    ``per_frame_oracle/...`` (all candidates; the annotation assigns them to objects
    anew in every frame: an upper bound) and as ``davis/...`` (at most 20 linked
    proposals that share no pixel, assigned once for the video); and
    ``discovery/candidates``, their mean number in a frame.

    Args:
        dataset: config of labelled videos, such as ``SpriteWorld``.
        size: (H, W) to which frames and labels are resized.
        interval: iterations or epochs between two looks.
        unit: ``'iter'`` or ``'epoch'``.
        chunk: frames seen together.
        link_threshold: least cosine of instance slots of one proposal in consecutive
            frames.

    Raises:
        ValueError: a number is below 1, the unit is unknown, or the method has no
            slots.
    """

    priority = 'LOW'  # after the weights have changed

    def __init__(
        self,
        dataset: Mapping[str, Any],
        size: tuple[int, int],
        interval: int = 1,
        unit: str = 'epoch',
        chunk: int = 4,
        link_threshold: float = 0.5,
    ) -> None:
        check_unit(unit, 'SlotDiscoveryHook')
        if min(interval, chunk, *size) < 1:
            raise ValueError(
                f'interval of SlotDiscoveryHook is {interval}, chunk {chunk}, size '
                f'{tuple(size)}; each is at least 1.'
            )
        self.dataset, self.size = dict(dataset), (size[0], size[1])
        self.interval, self.unit, self.chunk = interval, unit, chunk
        self.link_threshold = link_threshold

    def before_train(self, runner: Any) -> None:
        """Look at the initial weights."""
        if not is_main_process():
            return
        method = method_of(runner)
        if not hasattr(method, 'slots_of'):
            raise ValueError(
                f'SlotDiscoveryHook is for methods with slots, such as SMTC; '
                f'{type(method).__name__} has none. Take the hook out.'
            )
        if runner.iter == 0:
            self._look(runner, 0)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the weights after this iteration where it is due."""
        if is_main_process() and is_due(runner, self.interval, self.unit):
            self._look(runner, runner.iter + 1)

    def _look(self, runner: Any, done: int) -> None:
        method = method_of(runner)
        training = method.training
        method.eval()
        with random_states_kept(), torch.inference_mode():
            scalars = self.measure(method)
        method.train(training)
        runner.visualizer.add_scalars(scalars, step=done)
        words = ', '.join(f'{name} {value:.4f}' for name, value in scalars.items())
        runner.logger.info(f'objects met by slots after {done}: {words}')

    def measure(self, method: Any) -> dict[str, float]:
        """Scalars of a method in evaluation mode.

        Raises:
            ValueError: no video has an object.
        """
        videos = DATASETS.build(self.dataset)
        rows: dict[str, list[np.ndarray]] = {name: [] for name in _PROTOCOLS}
        counts: list[int] = []
        for number in range(len(videos)):
            found, count = self._scores(method, videos[number])
            counts += count
            for name, matched in found.items():
                rows[name] += list(np.stack([matched.region, matched.boundary], -1))
        if not rows[_PROTOCOLS[0]]:
            raise ValueError(
                'the dataset of SlotDiscoveryHook has no object in any labelled frame.'
            )
        scalars = {}
        for name, series in rows.items():
            region, boundary = np.mean([row.mean(0) for row in series], 0).tolist()
            means = {'J&F': (region + boundary) / 2, 'J': region, 'F': boundary}
            scalars.update({f'{name}/{part}': mean for part, mean in means.items()})
        return {**scalars, 'discovery/candidates': float(np.mean(counts))}

    def _scores(
        self, method: Any, video: VideoSample
    ) -> tuple[dict[str, Matched], list[int]]:
        """What the objects got by each protocol; candidates of the labelled frames."""
        labels = [
            self._resized(video.read_labels(t).indices) for t in video.label_frames
        ]
        ids = np.setdiff1d(np.unique(labels), _NO_OBJECT)
        if not len(ids):
            return {}, []
        objects = [plane == ids[:, None, None] for plane in labels]
        void = [plane == _VOID for plane in labels]
        tables, slots, owners = [], [], []
        for t, found in enumerate(
            video_candidates(method, self._frames(method, video), self.size, self.chunk)
        ):
            slots.append(found.slots.cpu().numpy())
            owners.append(found.owners.cpu().numpy())
            if t in video.label_frames:
                i = video.label_frames.index(t)
                masks = found.masks.cpu().numpy()
                tables.append(mask_scores(masks, objects[i], void[i]))
        maps = self._linked(slots, owners)
        exclusive = [
            mask_scores(_planes(maps[t], MAX_PROPOSALS), objects[i], void[i])
            for i, t in enumerate(video.label_frames)
        ]
        empty = [_without_candidate(o, v) for o, v in zip(objects, void, strict=True)]
        by_frame = match_per_frame(*_padded(tables, empty))
        whole = match_per_sequence(*_padded(exclusive, empty))
        found_by = dict(zip(_PROTOCOLS, (by_frame, whole), strict=True))
        return found_by, [len(slots[t]) for t in video.label_frames]

    def _linked(
        self, slots: list[np.ndarray], owners: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Proposals of every frame, ``(H, W)`` uint8."""
        tracks = link_slots(slots, self.link_threshold)
        areas = [
            np.bincount(own[own >= 0], minlength=len(part)).astype(float)
            for own, part in zip(owners, slots, strict=True)
        ]
        kept = largest_tracks(tracks, areas)
        pairs = zip(owners, tracks, strict=True)
        return [exclusive_map(own, track, kept) for own, track in pairs]

    def _frames(self, method: Any, video: VideoSample) -> Tensor:
        """``(t, 3, H, W)`` in [0, 1], on the method's device."""
        device = next(method.parameters()).device
        frames = torch.stack(
            [_channels_first(video.read_frame(t)) for t in range(video.num_frames)]
        )
        return torch.nn.functional.interpolate(
            frames.to(device).float() / 255, self.size, mode='bilinear', antialias=True
        )

    def _resized(self, labels: np.ndarray) -> np.ndarray:
        """Labels at the size of the frames, nearest."""
        plane = torch.from_numpy(labels.astype(np.float32)).flatten()
        shape = (labels.shape[0], labels.shape[1])
        return enlarge_areas(plane, shape, self.size).numpy().astype(np.uint8)


def _channels_first(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)


def _planes(labels: np.ndarray, most: int) -> np.ndarray:
    """``(most, H, W)`` masks of proposals 1 to ``most``."""
    return labels == np.arange(1, most + 1)[:, None, None]


def _without_candidate(
    objects: np.ndarray, void: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """J and F of an empty mask with each object, ``(1, k)``."""
    return mask_scores(np.zeros((1, *void.shape), bool), objects, void)


def _padded(
    tables: list[tuple[np.ndarray, np.ndarray]],
    empty: list[tuple[np.ndarray, np.ndarray]],
) -> list[np.ndarray]:
    """J and F as ``(n, k, t)``: empty proposals fill frames up, n is at least k."""
    most = max(max(part.shape) for part, _ in tables)
    filled = [
        [np.concatenate([part, none.repeat(most - len(part), 0)])
         for part, none in zip(pair, blank, strict=True)]
        for pair, blank in zip(tables, empty, strict=True)
    ]  # fmt: skip
    return [np.stack(series, -1) for series in zip(*filled, strict=True)]
