"""Exponential moving averages, the one place where weights are averaged."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_BUFFERS = ('copy', 'average', 'keep')
_SHOWN = 5  # names in an error


@torch.no_grad()
def ema_update_(
    old: nn.Module | Tensor,
    new: nn.Module | Tensor,
    ema_decay: float,
    buffers: str = 'copy',
) -> None:
    """Move averages towards new values, in place: old = d old + (1 - d) new.

    A teacher is ``old``, its student ``new``: a decay of 1 keeps the teacher, 0 makes
    it a copy of the student, both to the last bit.

    Args:
        old: module or tensor that is changed; float values.
        new: module with the same parameter and buffer names and shapes, or a tensor of
            the same shape. It is not changed.
        ema_decay: ``d``, the weight of the old value, in [0, 1].
        buffers: of modules, such as running statistics: ``'copy'`` takes the new ones,
            ``'average'`` averages those of float values and copies the others,
            ``'keep'`` leaves the old ones.

    Raises:
        ValueError: the decay is outside [0, 1], the option is unknown, or names or
            shapes differ.
        TypeError: one is a module and the other a tensor.
    """
    if not 0 <= ema_decay <= 1:
        raise ValueError(
            f'ema_decay is {ema_decay}; it is the weight of the old value and lies in '
            '[0, 1].'
        )
    if buffers not in _BUFFERS:
        raise ValueError(f'buffers is {buffers!r}; choose from {list(_BUFFERS)}.')
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        _average_({'tensor': old}, {'tensor': new}, ema_decay)
        return
    if isinstance(old, Tensor) or isinstance(new, Tensor):
        raise TypeError(
            f'cannot average a {type(old).__name__} with a {type(new).__name__}; give '
            'two modules or two tensors.'
        )
    check_same_names(old, new)
    _average_(dict(old.named_parameters()), dict(new.named_parameters()), ema_decay)
    if buffers != 'keep':
        decay = ema_decay if buffers == 'average' else 0.0
        _average_(dict(old.named_buffers()), dict(new.named_buffers()), decay)


def check_same_names(old: nn.Module, new: nn.Module) -> None:
    """Raise where two modules cannot be averaged entry by entry.

    Raises:
        ValueError: names or shapes of parameters or buffers differ; some are named.
    """
    left = {**dict(old.named_parameters()), **dict(old.named_buffers())}
    right = {**dict(new.named_parameters()), **dict(new.named_buffers())}
    problems = [f'only the old has {name}' for name in sorted(left.keys() - right)]
    problems += [f'only the new has {name}' for name in sorted(right.keys() - left)]
    problems += [
        f'{name} is {tuple(left[name].shape)} in the old and '
        f'{tuple(right[name].shape)} in the new'
        for name in left
        if name in right and left[name].shape != right[name].shape
    ]
    if problems:
        shown = '; '.join(problems[:_SHOWN])
        more = len(problems) - _SHOWN
        rest = f'; and {more} more' if more > 0 else ''
        raise ValueError(
            f'the two modules cannot be averaged: {shown}{rest}. Build both from the '
            'same config.'
        )


def _average_(
    old: Mapping[str, Tensor], new: Mapping[str, Tensor], decay: float
) -> None:
    """Average tensors of equal names; those of integers are copied."""
    averaged: dict[tuple, tuple[list[Tensor], list[Tensor]]] = {}
    for name, value in old.items():
        other = new[name].detach()
        if value.shape != other.shape:
            raise ValueError(
                f'the old {name} is {tuple(value.shape)}, the new one '
                f'{tuple(other.shape)}; their shapes should be equal.'
            )
        if not value.is_floating_point():
            value.copy_(other)
            continue
        key = (value.device, value.dtype)
        pair = averaged.setdefault(key, ([], []))
        pair[0].append(value)
        pair[1].append(other.to(device=value.device, dtype=value.dtype))
    for left, right in averaged.values():
        torch._foreach_lerp_(left, right, 1 - decay)
