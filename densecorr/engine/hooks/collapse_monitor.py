"""A warning when features or assignments collapse."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log

from densecorr.engine.hooks.parts import read_scalars
from densecorr.registry import HOOKS
from densecorr.utils.suggest import suggest

_KEY = 'collapse_monitor'  # in checkpoints


class CollapseError(RuntimeError):
    """A watched output stayed below its bound; training was told to stop then."""


@HOOKS.register_module()
class CollapseMonitorHook(Hook):
    """Warns when an output of the method stays below a bound.

    Methods log, for example, ``feature_std``, ``cluster_share`` or
    ``assignment_entropy``, see :mod:`densecorr.ops.monitors`. A warning comes when the
    output was below its bound (or NaN) in ``patience`` iterations one after the other,
    once, and again only after the output has been above it in between. How long an
    output has been below is kept in checkpoints.

    Args:
        watch: name of an output to its bound.
        patience: iterations, at least 1.
        stop: raise instead of warning.

    Raises:
        ValueError: nothing is watched, or the patience is below 1.
        KeyError: the first iteration has no such output; names the nearest ones.
        CollapseError: an output stayed below its bound and ``stop`` is True.
    """

    def __init__(
        self, watch: Mapping[str, float], patience: int = 100, stop: bool = False
    ) -> None:
        if not watch or patience < 1:
            raise ValueError(
                f'CollapseMonitorHook has watch {dict(watch)} and patience {patience}; '
                'watch at least one output, for at least 1 iteration.'
            )
        self.watch = {name: float(bound) for name, bound in watch.items()}
        self.patience, self.stop = patience, stop
        self._below = dict.fromkeys(self.watch, 0)  # iterations one after the other
        self._checked = False

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Compare the outputs with their bounds."""
        values = read_scalars(outputs if outputs is not None else {})
        if not self._checked:
            self._check_names(values)
        for name, bound in self.watch.items():
            if name not in values:
                continue
            below = not values[name] >= bound  # NaN is below
            self._below[name] = self._below[name] + 1 if below else 0
            if self._below[name] == self.patience:
                self._tell(runner, name, values[name])

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Keep the counts."""
        checkpoint[_KEY] = dict(self._below)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Go on counting; outputs that were not watched before start at 0."""
        old = checkpoint.get(_KEY, {})
        self._below = {name: int(old.get(name, 0)) for name in self.watch}

    def _check_names(self, values: Mapping[str, float]) -> None:
        self._checked = True
        for name in self.watch:
            if name not in values:
                raise KeyError(
                    f'CollapseMonitorHook watches {name!r}, which the method does not '
                    f'put out. {suggest(name, values)}'
                )

    def _tell(self, runner: Any, name: str, value: float) -> None:
        text = (
            f'{name} has been below {self.watch[name]:g} for {self.patience} '
            f'iterations, it is {value:.4g} in iteration {runner.iter + 1}: the '
            'features or assignments seem to have collapsed.'
        )
        if self.stop:
            raise CollapseError(
                f'{text} Training stops because CollapseMonitorHook has stop=True.'
            )
        print_log(text, logger='current', level=logging.WARNING)
