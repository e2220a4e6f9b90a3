"""Rows of parameters that keep length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from torch import Tensor

from densecorr.engine.hooks.parts import method_of
from densecorr.registry import HOOKS
from densecorr.utils.suggest import suggest


@HOOKS.register_module()
class UnitRowsHook(Hook):
    """After every iteration the rows of some parameters get length 1 again.

    It comes before a teacher follows; an entry for the teacher's own copy takes a later
    place: ``dict(type='UnitRowsHook', names=['teacher.prototypes.weight'],
    priority='NORMAL')``.

    Args:
        names: of parameters ``(rows, channels)`` of the method.

    Raises:
        ValueError: a name is unknown, or its parameter has no rows (before the first
            iteration).
    """

    priority = 'VERY_HIGH'  # before EMATeacherHook

    def __init__(self, names: Sequence[str] = ('prototypes.weight',)) -> None:
        self.names = [names] if isinstance(names, str) else list(names)
        self._rows: list[Tensor] = []

    def before_train(self, runner: Any) -> None:
        """Find the parameters."""
        known = dict(method_of(runner).named_parameters())
        for name in self.names:
            if name not in known or known[name].ndim != 2:
                matrices = [key for key, value in known.items() if value.ndim == 2]
                raise ValueError(
                    f'UnitRowsHook has {name!r}, which is no matrix of the method. '
                    f'{suggest(name, matrices)}'
                )
        self._rows = [known[name] for name in self.names]

    @torch.no_grad()
    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Divide every row by its length."""
        for rows in self._rows:
            rows.copy_(F.normalize(rows, dim=1))
