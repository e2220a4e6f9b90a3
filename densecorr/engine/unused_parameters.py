"""Parameters that training leaves alone: those that a config names, and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from torch import Tensor, nn

from densecorr.utils.suggest import suggest

_SHOWN = 8  # names in an error message


def leave_out(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Take parameters out of training that the loss does not reach, by name.

    They get no gradient, so that gradients of several processes are joined without
    waiting for them.

    Args:
        model: a method.
        patterns: shell patterns of parameter names, for example
            ``'backbone.layer4.*'``.

    Returns:
        their names.

    Raises:
        ValueError: a pattern matches no parameter.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(
                f'unused_parameters has {pattern!r}, which is no parameter of '
                f'{type(model).__name__}. {suggest(pattern, names)}'
            )
    found = []
    for name, parameter in model.named_parameters():
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
            found.append(name)
    return found


class GradientWatch:
    """Sees in the first iteration whether every trained parameter gets a gradient.

    Args:
        model: a method, before its first backward pass.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model, self._reached, self._done = model, set[str](), False
        self._handles = [
            parameter.register_post_accumulate_grad_hook(self._note(name))
            for name, parameter in model.named_parameters()
            if parameter.requires_grad
        ]

    def _note(self, name: str) -> Callable[[Tensor], None]:
        return lambda parameter: self._reached.add(name)

    def check(self) -> None:
        """After an iteration; only the first call does something.

        Raises:
            ValueError: parameters were not reached and are not named as unused.
        """
        if self._done:
            return
        self._done = True
        for handle in self._handles:
            handle.remove()
        missing = [
            name
            for name, parameter in self._model.named_parameters()
            if parameter.requires_grad and name not in self._reached
        ]
        if missing:
            more = ', ...' if len(missing) > _SHOWN else ''
            raise ValueError(
                f'{len(missing)} parameters get no gradient from the loss: '
                f'{", ".join(missing[:_SHOWN])}{more}. If that is meant, name them in '
                "the config: unused_parameters = ['backbone.layer4.*']."
            )
