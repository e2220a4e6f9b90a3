"""How well a masked autoencoder rebuilds frames that it does not train on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor, nn

from densecorr.datasets.collate import collate_clips
from densecorr.engine.hooks.due import check_unit, is_due
from densecorr.engine.hooks.parts import find_module, method_of
from densecorr.engine.hooks.preview import random_states_kept
from densecorr.registry import DATASETS, HOOKS
from densecorr.utils.files import write_atomic

_FOLDER = 'previews'
_NEEDED = ('reconstruct', 'terms', 'baseline', 'pictures')
_GAP = 4  # white pixels between pictures


@HOOKS.register_module()
class ReconstructionHook(Hook):
    """Rebuilds the same clips of a dataset again and again, and shows some of them.

    Before the first iteration, at every interval and at the end, the visualizer gets
    ``validation/reconstruction``, the mean loss of the masked frames;
    ``validation/patch_mean``, that of predicting the mean of every patch; and
    ``validation/relative_error``, the one over the other. A picture goes to
    ``previews/reconstruction_iter_<iterations>.jpg`` of the working folder: a clip in
    each row, its visible frame, then each masked one as it was, as seen, as predicted.

    The method evaluates, without dropout and gradient; masks are those of the clips'
    seeds, equal every time. Random states and modes are put back.

    Args:
        dataset: config of clips, with another seed or other videos than the training.
        interval: iterations or epochs between two looks.
        unit: ``'iter'`` or ``'epoch'``.
        num_clips: of epoch 0 of the dataset, from the first.
        batch_size: clips at a time.
        shown: clips in the picture.
        method: dotted name of the part of the model that reconstructs; ``''`` is the
            model.

    Raises:
        ValueError: a number is below 1, the dataset has too few clips, the unit is
            unknown, or the method reconstructs nothing.
    """

    priority = 'LOW'  # after the weights have changed

    def __init__(
        self,
        dataset: Mapping[str, Any],
        interval: int = 1,
        unit: str = 'epoch',
        num_clips: int = 32,
        batch_size: int = 8,
        shown: int = 4,
        method: str = '',
    ) -> None:
        check_unit(unit, 'ReconstructionHook')
        counts = dict(
            interval=interval, num_clips=num_clips, batch_size=batch_size, shown=shown
        )
        for name, value in counts.items():
            if value < 1:
                raise ValueError(
                    f'{name} of ReconstructionHook is {value}; at least 1.'
                )
        self.dataset, self.interval, self.unit = dict(dataset), interval, unit
        self.num_clips, self.batch_size, self.shown = num_clips, batch_size, shown
        self.method = method
        self._batches: list[dict[str, Any]] = []

    def before_train(self, runner: Any) -> None:
        """Draw the clips; look at the initial weights."""
        if not is_main_process():
            return
        method = self._method(runner)
        lacking = [name for name in _NEEDED if not hasattr(method, name)]
        if lacking:
            raise ValueError(
                f'ReconstructionHook is for methods that rebuild frames, such as '
                f'CatMAE; {type(method).__name__} has no {lacking}. Take the hook out, '
                'or name the part of the model with method=....'
            )
        with random_states_kept():
            self._batches = list(self._draw())
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

    def _method(self, runner: Any) -> Any:
        model = method_of(runner)
        if not self.method:
            return model
        return find_module(model, self.method, 'method of ReconstructionHook')

    def _draw(self) -> Iterator[dict[str, Any]]:
        clips = DATASETS.build(self.dataset)
        if len(clips) < self.num_clips:
            raise ValueError(
                f'ReconstructionHook takes {self.num_clips} clips, its dataset has '
                f'{len(clips)}. Lower num_clips, or raise clips_per_video of the '
                'dataset.'
            )
        for start in range(0, self.num_clips, self.batch_size):
            numbers = range(start, min(start + self.batch_size, self.num_clips))
            yield collate_clips([clips[number] for number in numbers])

    def _look(self, runner: Any, done: int) -> None:
        method = self._method(runner)
        modes = {module: module.training for module in _modules(method)}
        method.eval()
        method.backbone.eval()  # of a part, it may belong to the whole
        with random_states_kept(), torch.inference_mode():
            scalars, picture = self.measure(method)
        for module, mode in modes.items():
            module.training = mode
        runner.visualizer.add_scalars(scalars, step=done)
        runner.visualizer.add_image('reconstruction', picture, step=done)
        words = ', '.join(f'{k.partition("/")[2]} {v:.4f}' for k, v in scalars.items())
        runner.logger.info(f'{self.num_clips} clips rebuilt after {done}: {words}')
        _, data = cv2.imencode('.jpg', picture[..., ::-1])
        path = Path(runner.work_dir) / _FOLDER / f'reconstruction_iter_{done}.jpg'
        write_atomic(path, data.tobytes())

    def measure(self, method: Any) -> tuple[dict[str, float], np.ndarray]:
        """Scalars, and the picture ``(H, W, 3)`` uint8 RGB, of a method in eval."""
        device = next(method.parameters()).device
        sums, rows, seen = np.zeros(2), [], 0
        for batch in self._batches:
            inputs = {name: x.to(device) for name, x in batch['inputs'].items()}
            found = method.reconstruct(inputs, batch['data_samples'])
            loss = torch.stack(method.terms(found)).mean()
            size = len(batch['data_samples'])
            sums += size * np.array([float(loss), float(method.baseline(found))])
            if seen < self.shown:
                rows += _rows(method, inputs['frames'], found)[: self.shown - seen]
            seen += size
        loss, mean = (sums / seen).tolist()
        scalars = dict(reconstruction=loss, patch_mean=mean, relative_error=loss / mean)
        named = {f'validation/{name}': value for name, value in scalars.items()}
        return named, np.concatenate(rows)


def _modules(method: Any) -> list[nn.Module]:
    return list({*method.modules(), *method.backbone.modules()})


def _rows(method: Any, frames: Tensor, found: Any) -> list[np.ndarray]:
    """A row of pictures for each clip, ``(H, W, 3)`` uint8."""
    stride = method.backbone.stride
    height, width = frames.shape[-2:]
    masked = method.pictures(found, (height // stride, width // stride))
    shown = torch.cat([frames[:, :1].float() / 255, *masked], dim=1)  # (b, k, 3, H, W)
    padded = torch.nn.functional.pad(shown, (0, _GAP, 0, _GAP), value=1.0)
    images = (padded * 255).round().to(torch.uint8).permute(0, 3, 1, 4, 2)
    return list(images.flatten(2, 3).cpu().numpy())
