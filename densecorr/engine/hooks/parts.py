"""Finding what a config names: parts of a model, values of outputs."""

from __future__ import annotations

import numbers
from typing import Any

import torch
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from densecorr.utils.suggest import suggest

Scalars = dict[str, Any]  # 0-dim tensors or numbers by name


def method_of(runner: Any) -> nn.Module:
    """The model in training, out of the wrapper of several processes."""
    model = runner.model
    return model.module if is_model_wrapper(model) else model


def find_module(model: nn.Module, path: str, what: str) -> nn.Module:
    """A submodule by its dotted name.

    Args:
        model: in which the module lies.
        path: for example ``'backbone'``.
        what: argument that names it, for the error.

    Raises:
        ValueError: there is none of this name; names the nearest ones.
    """
    modules = dict(model.named_modules())
    if not path or path not in modules:
        names = [name for name in modules if name]
        near = [name for name in names if name.count('.') <= path.count('.')]
        raise ValueError(
            f'{what} is {path!r}, which is no module of {type(model).__name__}. '
            f'{suggest(path, near or names)}'
        )
    return modules[path]


def read_scalars(outputs: Scalars) -> dict[str, float]:
    """Outputs of an iteration as floats, in one transfer from each device.

    The tensors in ``outputs`` are replaced by the floats, so that hooks which read
    them later wait for no device.

    Args:
        outputs: by name; changed.

    Raises:
        TypeError: an output is not a single number; names it.
    """
    by_device: dict[torch.device, list[str]] = {}
    for name, value in outputs.items():
        if isinstance(value, Tensor) and value.dim() == 0:
            by_device.setdefault(value.device, []).append(name)
        elif isinstance(value, numbers.Real):  # numpy's, too
            outputs[name] = float(value)
        else:
            shape = getattr(value, 'shape', None)
            kind = type(value).__name__
            found = kind if shape is None else f'{kind} of shape {tuple(shape)}'
            raise TypeError(
                f'output {name!r} of the model is a {found}; an output is a 0-dim '
                'tensor or a number. Reduce it in loss(), for example by .mean().'
            )
    for names in by_device.values():
        stacked = torch.stack([outputs[name].detach().double() for name in names])
        outputs.update(zip(names, stacked.tolist(), strict=True))
    return outputs
