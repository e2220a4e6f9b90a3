"""MMEngine's Runner with our hooks, and with checkpoints that are read safely."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from densecorr.engine.train_checkpoint import newest_checkpoint, read_training, restore
from densecorr.registry import RUNNERS

AUTO = 'auto'  # resume from the newest checkpoint of the folder


@RUNNERS.register_module()
class TrainRunner(Runner):
    """A Runner that trains a model which is built, placed and wrapped already.

    Args:
        resume_from: checkpoint to go on from; ``'auto'`` takes the newest whole one of
            the folder and starts anew where there is none; None starts anew.
        config_text: the whole config, which checkpoints carry.
        **kwargs: of MMEngine's Runner.
    """

    def __init__(
        self, *, resume_from: str | None = None, config_text: str = '', **kwargs: Any
    ) -> None:
        self._resume_from, self.config_text = resume_from, config_text
        super().__init__(**kwargs)

    @property
    def train_items(self) -> Any:
        """The dataset that is trained on."""
        config: Any = self._train_dataloader
        return config['dataset']

    def register_default_hooks(
        self, hooks: Mapping[str, Hook | dict | None] | None = None
    ) -> None:
        """Only the given hooks, and the one that steps ``param_scheduler``.

        MMEngine's own hooks time, log and save in ways that cannot be resumed exactly.
        """
        chosen = {'param_scheduler': dict(type='ParamSchedulerHook'), **(hooks or {})}
        for hook in chosen.values():
            if hook is not None:
                self.register_hook(hook)

    def dump_config(self) -> None:
        """Nothing: the whole config is written once, as ``config.py``."""

    def load_or_resume(self) -> None:
        """Restore the checkpoint that training goes on from, if there is one.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or does not fit.
        """
        if self._resume_from is None:
            return
        if self._resume_from != AUTO:
            restore(self, self._resume_from, read_training(self._resume_from))
            return
        found = newest_checkpoint(Path(self.work_dir))
        if found is None:
            self.logger.info(f'no checkpoint in {self.work_dir}: starting anew')
        else:
            restore(self, *found)
