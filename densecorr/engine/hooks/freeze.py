"""Parameters that stay as they are for a part of training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from densecorr.engine.hooks.due import check_unit, in_iterations
from densecorr.engine.hooks.parts import method_of
from densecorr.registry import HOOKS
from densecorr.utils.suggest import suggest

_REGEX = 're:'


@HOOKS.register_module()
class FreezeHook(Hook):
    r"""No updates for some parameters in iterations [begin, end).

    They stay equal to the last bit, also under weight decay and momentum, because the
    optimiser sees no gradient of them; clipping does not count them.

    One process takes ``requires_grad`` from them, so the backward pass ends where all
    that is left is frozen. Several processes cannot: their wrapper waits for the
    gradient of every parameter that had ``requires_grad`` when it was wrapped. There
    gradients are computed, made zero before processes and clipping see them, and taken
    away before the optimiser's step; the result is the same.

    Args:
        patterns: of parameter names, shell patterns such as ``'backbone.layer4.*'`` or
            regular expressions that match a whole name,
            ``'re:backbone\.layer[34]\..*'``.
        begin: first iteration or epoch without updates.
        end: first one with updates again; None is never.
        unit: of ``begin`` and ``end``, ``'iter'`` or ``'epoch'``.
        eval_mode: put modules into eval mode whose parameters and buffers all match,
            so that running statistics stay, too, and dropout is off.

    Raises:
        ValueError: there is no pattern, the range is empty, or (before the first
            iteration) a pattern matches no parameter; names the nearest ones.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        begin: float = 0,
        end: float | None = None,
        unit: str = 'iter',
        eval_mode: bool = True,
    ) -> None:
        check_unit(unit, 'FreezeHook')
        self.patterns = [patterns] if isinstance(patterns, str) else list(patterns)
        if not self.patterns or begin < 0 or (end is not None and end <= begin):
            raise ValueError(
                f'FreezeHook has patterns {self.patterns}, begin {begin}, end {end}; '
                'give at least one pattern, and an end after the begin.'
            )
        self.begin, self.end, self.unit = begin, end, unit
        self.eval_mode = eval_mode
        self._frozen = False
        self._parameters: list[nn.Parameter] = []
        self._modules: list[nn.Module] = []

    def before_train(self, runner: Any) -> None:
        """Find the parameters and modules."""
        model = method_of(runner)
        found = _matching(model, self.patterns)
        self._parameters = [p for p in found if p.requires_grad]
        if self.eval_mode:
            self._modules = _whole_modules(model, self.patterns)
        self._zeroed = is_model_wrapper(runner.model)
        if self._zeroed:
            for parameter in self._parameters:
                parameter.register_hook(self._zero)
            optimizer: torch.optim.Optimizer = runner.optim_wrapper.optimizer
            optimizer.register_step_pre_hook(self._take_away)

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Freeze or release where the range begins or ends."""
        frozen = self.active(runner)
        if frozen != self._frozen:
            self._frozen = frozen
            if not self._zeroed:
                self._switch(runner)
        if frozen:  # the loop puts everything into train mode before every iteration
            for module in self._modules:
                module.eval()

    def active(self, runner: Any) -> bool:
        """Whether the coming iteration is in the range."""
        if runner.iter < in_iterations(runner, self.begin, self.unit):
            return False
        if self.end is None:
            return True
        return runner.iter < in_iterations(runner, self.end, self.unit)

    def _switch(self, runner: Any) -> None:
        """Freeze, or release what no other hook of this class keeps frozen."""
        hooks = [hook for hook in runner.hooks if isinstance(hook, FreezeHook)]
        active = [hook for hook in hooks if hook.active(runner)]
        kept = {id(p) for hook in active for p in hook._parameters}
        for parameter in self._parameters:
            parameter.requires_grad_(id(parameter) not in kept)
            parameter.grad = None

    def _zero(self, gradient: Tensor) -> Tensor | None:
        return torch.zeros_like(gradient) if self._frozen else None

    def _take_away(self, *_: Any) -> None:
        if self._frozen:
            for parameter in self._parameters:
                parameter.grad = None


def _matches(name: str, pattern: str) -> bool:
    if pattern.startswith(_REGEX):
        return re.fullmatch(pattern[len(_REGEX) :], name) is not None
    return fnmatchcase(name, pattern)


def _matching(model: nn.Module, patterns: Sequence[str]) -> list[nn.Parameter]:
    """Parameters that a pattern matches.

    Raises:
        ValueError: a pattern matches none.
    """
    named = dict(model.named_parameters())
    for pattern in patterns:
        if not any(_matches(name, pattern) for name in named):
            parts = {f'{name.rpartition(".")[0]}.*' for name in named}
            raise ValueError(
                f'FreezeHook has {pattern!r}, which matches no parameter of '
                f'{type(model).__name__}. {suggest(pattern, parts | set(named))}'
            )
    return [p for name, p in named.items() if any(_matches(name, x) for x in patterns)]


def _whole_modules(model: nn.Module, patterns: Sequence[str]) -> list[nn.Module]:
    """Modules that have parameters or buffers, all of which match."""
    found = []
    for prefix, module in model.named_modules():
        names = [name for name, _ in module.named_parameters(prefix)]
        names += [name for name, _ in module.named_buffers(prefix)]
        if names and all(any(_matches(n, x) for x in patterns) for n in names):
            found.append(module)
    return found
