"""A look at how well the features in training follow a clip."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from densecorr.engine.hooks.due import check_unit, is_due
from densecorr.engine.hooks.parts import find_module, method_of
from densecorr.propagation.tracker import results_of
from densecorr.registry import DATASETS, HOOKS, MODELS
from densecorr.structures import FrameResult, JointResult, VideoSample
from densecorr.utils.files import write_atomic
from densecorr.visualization.joints import draw_joints
from densecorr.visualization.overlay import overlay, shrink

_FOLDER = 'previews'
_QUALITY = 90  # of the JPEG files


@HOOKS.register_module()
class PreviewHook(Hook):
    """Propagates the first labels of one clip and shows what became of them.

    Before the first iteration, at every interval and at the end, frames with their
    found labels go side by side to the visualizer (``preview``) and to
    ``previews/iter_<iterations>.jpg`` of the working folder. The tracker has a network
    of its own, into which the weights are copied, and every global random state is put
    back: training with and without previews is equal to the last bit. The first
    process does it alone; the others wait at their next common step.

    Args:
        video: config of a dataset of videos, such as a ``test_dataset``; its first
            video is shown (choose with ``sequences``, shorten with ``max_frames``).
        tracker: config of a :class:`densecorr.propagation.tracker.VideoTracker`:
            ``backbone``, ``inputs`` and ``protocol``.
        interval: iterations or epochs between two previews.
        unit: ``'iter'`` or ``'epoch'``.
        num_frames: at most so many frames are shown, evenly spaced, the first and the
            last among them.
        width: of a shown frame in pixels; smaller frames keep their size.
        student: dotted name of the network of the method.

    Raises:
        ValueError: a number is below 1, the unit or the student is unknown, or the
            tracker's network has other parameters than the student.
    """

    priority = 'LOW'  # after the weights have changed

    def __init__(
        self,
        video: Mapping[str, Any],
        tracker: Mapping[str, Any],
        interval: int = 1,
        unit: str = 'epoch',
        num_frames: int = 8,
        width: int = 240,
        student: str = 'backbone',
    ) -> None:
        check_unit(unit, 'PreviewHook')
        counts = dict(interval=interval, num_frames=num_frames, width=width)
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f'{name} of PreviewHook is {value}; at least 1.')
        self.video, self.tracker = dict(video), {'type': 'VideoTracker', **tracker}
        self.interval, self.unit = interval, unit
        self.num_frames, self.width, self.student = num_frames, width, student
        self._clip: VideoSample | None = None
        self._model: Any = None

    def before_train(self, runner: Any) -> None:
        """Build clip and tracker; show the initial weights."""
        if not is_main_process():
            return
        with random_states_kept():
            self._clip = DATASETS.build(self.video)[0]
            self._model = MODELS.build(self.tracker).eval().requires_grad_(False)
        if runner.iter == 0:
            self._show(runner, 0)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Show the weights after this iteration where it is due."""
        if is_main_process() and is_due(runner, self.interval, self.unit):
            self._show(runner, runner.iter + 1)

    def _show(self, runner: Any, done: int) -> None:
        with random_states_kept():
            self._copy_weights(runner)
            strip = self.draw()
        runner.visualizer.add_image('preview', strip, step=done)
        parameters = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        _, data = cv2.imencode('.jpg', strip[..., ::-1], parameters)
        path = Path(runner.work_dir) / _FOLDER / f'iter_{done}.jpg'
        write_atomic(path, data.tobytes())

    def _copy_weights(self, runner: Any) -> None:
        """Put the student's weights into the tracker, on the same device.

        Raises:
            ValueError: the names or shapes of the weights differ.
        """
        student = find_module(method_of(runner), self.student, 'student of PreviewHook')
        state = student.state_dict()
        devices = {value.device for value in state.values()}
        if devices:
            self._model.to(devices.pop())
        try:
            self._model.backbone.load_state_dict(state)
        except RuntimeError as error:
            raise ValueError(
                f'the tracker of PreviewHook has another network than {self.student!r} '
                f'of the method: {error} Give its backbone the config of the one in '
                'training.'
            ) from error

    def draw(self) -> np.ndarray:
        """The shown frames side by side, ``(H, W, 3)`` uint8 RGB."""
        clip = self._clip
        assert clip is not None  # before_train has been called
        places = np.linspace(0, clip.num_frames - 1, self.num_frames)
        shown, pictures = set(np.rint(places).astype(int).tolist()), []
        with torch.inference_mode():
            for result in results_of(self._model, clip):
                if result.index in shown:
                    picture = _draw(clip, result)
                    pictures.append(shrink(picture, self.width))
        return np.concatenate(pictures, axis=1)


def _draw(clip: VideoSample, result: FrameResult | JointResult) -> np.ndarray:
    """A frame with what was found in it."""
    frame = clip.read_frame(result.index)
    if isinstance(result, JointResult):
        return draw_joints(frame, result.joints)
    return overlay(frame, result.label_map)


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """What runs inside draws as it likes; outside, nothing is seen of it.

    Keeps the global states of Python, numpy, torch, and every CUDA device in use.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = list(range(torch.cuda.device_count()))
    used = devices if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=used):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
