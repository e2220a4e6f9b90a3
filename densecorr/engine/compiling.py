"""``torch.compile`` for the backbone of a method, where a config asks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from torch import nn

from densecorr.engine.activation_checkpointing import is_checkpointed
from densecorr.utils.suggest import suggest

_OPTIONS = ('backend', 'dynamic', 'fullgraph', 'mode', 'options')
_NEEDS_COMPILER = 'inductor'  # torch's default backend; it writes C++
_COMPILERS = ('g++', 'clang++', 'c++')


def compile_if_asked(model: nn.Module, option: bool | Mapping[str, Any] | None) -> bool:
    """Compile the forward pass of ``model.backbone``, in place, if asked to.

    The first iteration takes minutes, later ones are faster. Names in the state dict
    stay; a copy of the network is not compiled. Results can differ from the plain ones
    by rounding.

    Args:
        model: a method, after its activations are checkpointed.
        option: False or None changes nothing, True compiles with torch's defaults, a
            dict gives arguments of ``torch.compile``.

    Returns:
        whether the backbone is compiled now.

    Raises:
        FileNotFoundError: there is no C++ compiler.
        KeyError: an argument that ``torch.compile`` does not have.
        ValueError: parts of the backbone are checkpointed, or there is no backbone.
    """
    if option is None or option is False:
        return False
    arguments = {} if option is True else dict(option)
    for name in arguments:
        if name not in _OPTIONS:
            raise KeyError(f'compile takes no {name!r}. {suggest(name, _OPTIONS)}')
    backbone = getattr(model, 'backbone', None)
    if not isinstance(backbone, nn.Module):
        raise ValueError(
            f'{type(model).__name__} has no backbone to compile; set compile = False.'
        )
    parts = [name for name, part in backbone.named_modules() if is_checkpointed(part)]
    if parts:
        raise ValueError(
            f'compile and activation_checkpointing do not go together: {parts} of the '
            'backbone are checkpointed. Choose one of them.'
        )
    if arguments.get('backend', _NEEDS_COMPILER) == _NEEDS_COMPILER:
        _require_compiler()
    backbone.compile(**arguments)
    return True


def _require_compiler() -> None:
    named = os.environ.get('CXX')
    candidates = (named,) if named else _COMPILERS
    if any(shutil.which(name) for name in candidates):
        return
    raise FileNotFoundError(
        f'compile needs a C++ compiler, but none of {list(candidates)} is there. '
        'Install one (apt-get install g++), name one by the variable CXX, or set '
        'compile = False.'
    )
