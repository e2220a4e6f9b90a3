"""Float32 inside, whatever precision surrounds a call."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec('P')
R = TypeVar('R')

_HALF = (torch.float16, torch.bfloat16)


def without_autocast(*tensors: Tensor) -> contextlib.AbstractContextManager[None]:
    """A block in which nothing is cast down on the devices of ``tensors``.

    Outside of autocast it does nothing.
    """
    kinds = {tensor.device.type for tensor in tensors}
    active = [kind for kind in kinds if _autocasts(kind)]
    if not active:
        return contextlib.nullcontext()
    return _disabled(active)


def full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in float32, also under autocast and on half-precision tensors.

    Tensors among the arguments that are float16 or bfloat16 become float32, also inside
    of lists, tuples and dicts; gradients flow back in the precision of the tensor that
    was given. Autocast is off, for the devices of all tensors, until the function
    returns. (A backward pass under autocast would still round: end autocast first.)
    Other arguments pass unchanged.

    Products of half-precision features lose three digits; a softmax with temperature
    0.05 multiplies that error by twenty.
    """

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        wide: Any = _widened(args)
        named: Any = _widened(kwargs)
        with without_autocast(*_tensors((wide, named))):
            return function(*wide, **named)

    return run


def _autocasts(kind: str) -> bool:
    available = torch.amp.is_autocast_available(kind)
    return available and torch.is_autocast_enabled(kind)


@contextlib.contextmanager
def _disabled(kinds: Iterable[str]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def _widened(value: Any) -> Any:
    """The value with its half-precision tensors in float32."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in _HALF else value
    if type(value) in (list, tuple):
        return type(value)(_widened(item) for item in value)
    if isinstance(value, tuple) and hasattr(value, '_fields'):
        return type(value)(*(_widened(item) for item in value))
    if type(value) is dict:
        return {key: _widened(item) for key, item in value.items()}
    return value


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif type(value) is dict:
        yield from _tensors(list(value.values()))
