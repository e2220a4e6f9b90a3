"""Activations that are computed again in the backward pass instead of kept."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from densecorr.utils.suggest import suggest


def checkpoint_activations(model: nn.Module, names: Sequence[str]) -> list[str]:
    """Let parts of a network forget their activations, in place.

    In training their forward pass runs a second time during the backward pass, with
    the same random numbers and without moving running statistics again. The results
    are those of the plain step; memory falls by what the parts keep inside, time grows
    by one forward pass of them. In evaluation and without gradients nothing changes.
    Names in the state dict stay. A copy of the network has the parts checkpointed too.

    Args:
        model: network, before it is wrapped for several processes.
        names: of modules, also as shell patterns: ``'backbone.layer1'``,
            ``'backbone.blocks.*'``. A part inside of another one that is named is left
            to the larger one.

    Returns:
        the names of the parts.

    Raises:
        ValueError: a name matches no module, or one that cannot be called.
    """
    modules = {name: part for name, part in model.named_modules() if name}
    found: list[str] = []
    for pattern in names:
        matches = [name for name in modules if fnmatchcase(name, pattern)]
        if not matches:
            raise ValueError(
                f'activation_checkpointing has {pattern!r}, which is no module of '
                f'{type(model).__name__}. {suggest(pattern, modules)}'
            )
        found += [name for name in matches if name not in found]
    outer = [name for name in found if not _inside(name, found)]
    for name in outer:
        part = modules[name]
        if isinstance(part, nn.ModuleList | nn.ModuleDict):
            raise ValueError(
                f'activation_checkpointing has {name!r}, a list of modules that is '
                f"never called itself. Name its members: '{name}.*'."
            )
        # A bound method: copies of the module get one that is bound to the copy.
        part.forward = MethodType(_forward, part)
    return outer


def is_checkpointed(module: nn.Module) -> bool:
    """Whether :func:`checkpoint_activations` has named this module."""
    own = module.__dict__.get('forward')
    return getattr(own, '__func__', None) is _forward


def _forward(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
    plain = MethodType(type(module).forward, module)
    if not (module.training and torch.is_grad_enabled()):
        return plain(*args, **kwargs)
    return checkpoint(
        plain,
        *args,
        use_reentrant=False,
        preserve_rng_state=True,
        context_fn=lambda: (contextlib.nullcontext(), _spare_buffers(module)),
        **kwargs,
    )


@contextlib.contextmanager
def _spare_buffers(module: nn.Module) -> Iterator[None]:
    """A block that moves copies of the buffers: running statistics stay."""
    parts = list(module.modules())
    kept = [part._buffers for part in parts]
    for part, buffers in zip(parts, kept, strict=True):
        copies = {k: None if v is None else v.clone() for k, v in buffers.items()}
        part._buffers = copies
    try:
        yield
    finally:
        for part, buffers in zip(parts, kept, strict=True):
            part._buffers = buffers


def _inside(name: str, names: Sequence[str]) -> bool:
    return any(name.startswith(f'{other}.') for other in names)
