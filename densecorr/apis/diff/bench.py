"""Evaluating the states of a replay, each into a folder of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config

from densecorr.apis.config import tracker_config
from densecorr.apis.diff.compare import diff_of
from densecorr.apis.diff.factors import read_result
from densecorr.apis.diff.shares import State
from densecorr.apis.diff.sides import Mixer, Side
from densecorr.apis.evaluate import fingerprint_of, load_weights, seed_of
from densecorr.engine.fingerprint import canonical, digest
from densecorr.engine.launch import Processes, start_processes, stop_processes
from densecorr.engine.records import ResultFolder
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.registry import MODELS
from densecorr.utils.checkpoints import hash_tensors
from densecorr.utils.files import make_folder, write_atomic

_DIGITS = 12  # of the hash that names a folder
_MAY_DIFFER = ('versions', 'protocol name', 'protocol revision')


class Bench:
    """Evaluates states in one process; those that are finished are only read.

    Args:
        mixer: of the two runs.
        folder: of the replay.
        device: ``'cpu'`` or ``'cuda'``; None takes CUDA where there is one.
        threads: compute threads.
        allow_unsafe: unpickle whatever the checkpoints hold.
    """

    def __init__(
        self,
        mixer: Mixer,
        folder: Path,
        device: str | None,
        threads: int | None,
        allow_unsafe: bool,
    ) -> None:
        self.mixer, self.folder = mixer, folder
        self.device, self.threads, self.allow_unsafe = device, threads, allow_unsafe

    def folder_of(self, state: State) -> Path:
        """Results folder of a state: another one for other code, weights or videos."""
        side, weights = (self.mixer.side(n, state) for n in ('frames', 'weights'))
        tf32 = self.mixer.side('features', state).tf32
        place = canonical(
            dict(
                fingerprint_of(self.mixer.config(state), tf32),
                weights=weights.result.content['fingerprint'].get('weights'),
                videos=side.result.videos,
            )
        )
        return self.folder / 'states' / digest(place)[:_DIGITS]

    def evaluate(
        self, state: State, title: str, end: Side | None = None
    ) -> Mapping[str, Any]:
        """Content of ``metrics.json`` of a state.

        Args:
            state: to evaluate.
            title: for the progress bar.
            end: the run that this state has to repeat.

        Raises:
            ValueError: weights or videos are not those of the run any more.
        """
        folder = self.folder_of(state)
        if not (folder / 'metrics.json').is_file():
            self._evaluate(state, title, folder, end)
        found = read_result(folder)
        if end is not None:
            others = [
                f'{d.kind} {d.field}: {d.first} then, {d.second} now'
                for d in diff_of(end.result, found).differences
                if d.kind not in _MAY_DIFFER
            ]
            if others:
                raise ValueError(
                    f'{end.name}, {end.result.folder}, cannot be repeated: '
                    f'{"; ".join(others[:3])}. Name its data with --data and its '
                    'weights with --checkpoints.'
                )
        return found.content

    def _evaluate(
        self, state: State, title: str, folder: Path, end: Side | None
    ) -> None:
        cfg = self.mixer.config(state)
        make_folder(folder)
        ResultFolder(folder).remove_torn_files()
        write_atomic(folder / 'config.py', cfg.pretty_text)
        tf32 = self.mixer.side('features', state).tf32
        processes = start_processes(self.device, self.threads, tf32, seed_of(cfg))
        try:
            weights = self.mixer.side('weights', state)
            model = self._model(cfg, weights, processes)
            if end is not None:
                _check_weights(end, model)
            self._loop(cfg, model, processes, folder, title).run()
        finally:
            stop_processes()

    def _model(self, cfg: Config, side: Side, processes: Processes) -> Any:
        model: Any = MODELS.build(tracker_config(cfg)).to(processes.device).eval()
        expected = cfg.get('checkpoint_source')
        load_weights(
            model, side.checkpoint, side.source, self.allow_unsafe, processes, expected
        )
        return model

    def _loop(
        self, cfg: Config, model: Any, processes: Processes, folder: Path, title: str
    ) -> VideoTestLoop:
        task = self.mixer.first.result.content.get('task')
        return VideoTestLoop(
            SimpleNamespace(model=model, call_hook=_no_hook),
            dict(dataset=cfg.test_dataset),
            cfg.test_evaluator,
            str(folder),
            fingerprint=fingerprint_of(cfg, processes.tf32),
            summary=dict(task=task),
            title=title,
        )


def _check_weights(side: Side, model: Any) -> None:
    """Refuse other weights than those of the run, before anything is computed."""
    recorded = side.result.content['fingerprint'].get('weights')
    found = hash_tensors(model.state_dict())
    if recorded not in (None, found):
        raise ValueError(
            f'{side.checkpoint} does not hold the weights of {side.name}: their hash '
            f'is {found[:_DIGITS]}, that of the run {recorded[:_DIGITS]}. Name both '
            'files with --checkpoints CKPT_A CKPT_B.'
        )


def _no_hook(*args: Any, **kwargs: Any) -> None:
    """There is no runner whose hooks would be called."""
