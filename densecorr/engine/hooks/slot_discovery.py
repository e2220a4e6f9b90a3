"""How well slots meet the objects of videos that a method does not train on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from densecorr.evaluation.functional.discovery import match_per_frame
from densecorr.models.methods.slot_candidates import video_candidates
from densecorr.ops.slots import enlarge_areas
from densecorr.registry import DATASETS, HOOKS
from densecorr.structures import VideoSample

_VOID = 255  # not scored
_NO_OBJECT = (0, _VOID)


@HOOKS.register_module()
class SlotDiscoveryHook(Hook):
    """Scores the candidates of slots on labelled videos by ``per_frame_oracle``.

    Before the first iteration, at every interval and at the end, the visualizer gets
    ``discovery/J&F``, ``discovery/J`` and ``discovery/F``, means over objects and
    labelled frames, and ``discovery/candidates``, their mean number in a frame. The
    annotation chooses the candidate of every object anew in every frame: an upper
    bound, for comparisons with the initial weights alone.

    Args:
        dataset: config of labelled videos, such as ``SpriteWorld``.
        size: (H, W) to which frames and labels are resized.
        interval: iterations or epochs between two looks.
        unit: ``'iter'`` or ``'epoch'``.
        chunk: frames seen together.

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
    ) -> None:
        check_unit(unit, 'SlotDiscoveryHook')
        if min(interval, chunk, *size) < 1:
            raise ValueError(
                f'interval of SlotDiscoveryHook is {interval}, chunk {chunk}, size '
                f'{tuple(size)}; each is at least 1.'
            )
        self.dataset, self.size = dict(dataset), (size[0], size[1])
        self.interval, self.unit, self.chunk = interval, unit, chunk

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
        words = ', '.join(f'{k.partition("/")[2]} {v:.4f}' for k, v in scalars.items())
        runner.logger.info(f'objects met by slots after {done}: {words}')

    def measure(self, method: Any) -> dict[str, float]:
        """Scalars of a method in evaluation mode.

        Raises:
            ValueError: no video has an object.
        """
        videos = DATASETS.build(self.dataset)
        numbers = range(len(videos))
        rows = [row for n in numbers for row in self._scores(method, videos[n])]
        if not rows:
            raise ValueError(
                'the dataset of SlotDiscoveryHook has no object in any labelled frame.'
            )
        region, boundary, count = np.array(rows).mean(0).tolist()
        mean = (region + boundary) / 2
        names = {'J&F': mean, 'J': region, 'F': boundary, 'candidates': count}
        return {f'discovery/{name}': value for name, value in names.items()}

    def _scores(self, method: Any, video: VideoSample) -> Iterator[tuple]:
        """J, F and the number of candidates for each object of each labelled frame."""
        device = next(method.parameters()).device
        frames = torch.stack(
            [_channels_first(video.read_frame(t)) for t in range(video.num_frames)]
        )
        frames = torch.nn.functional.interpolate(
            frames.to(device).float() / 255, self.size, mode='bilinear', antialias=True
        )
        found = video_candidates(method, frames, self.size, self.chunk)
        for t in video.label_frames:
            labels = self._resized(video.read_labels(t).indices)
            objects = np.array(
                [labels == n for n in np.unique(labels) if n not in _NO_OBJECT]
            )
            masks = found[t].masks.cpu().numpy()
            if not len(objects):
                continue
            lacking = max(len(objects) - len(masks), 0)
            masks = np.concatenate([masks, np.zeros((lacking, *self.size), bool)])
            scores = mask_scores(masks, objects, labels == _VOID)
            matched = match_per_frame(*(part[..., None] for part in scores))
            count = len(found[t].masks)
            for j, f in zip(matched.region[:, 0], matched.boundary[:, 0], strict=True):
                yield j, f, count

    def _resized(self, labels: np.ndarray) -> np.ndarray:
        """Labels at the size of the frames, nearest."""
        plane = torch.from_numpy(labels.astype(np.float32)).flatten()
        shape = (labels.shape[0], labels.shape[1])
        return enlarge_areas(plane, shape, self.size).numpy().astype(np.uint8)


def _channels_first(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
