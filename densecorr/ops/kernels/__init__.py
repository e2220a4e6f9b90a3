"""Fast paths of the operators, found at run time; no result depends on them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os

import torch


@functools.cache
def _triton_problem() -> str:
    """Why Triton's kernels cannot be used at all; empty where they can."""
    if importlib.util.find_spec('triton') is None:
        return 'the package triton is not installed'
    try:
        importlib.import_module('triton')
    except (ImportError, OSError, RuntimeError) as error:
        return f'the package triton does not import ({error})'
    return ''


def fused_problem(device: torch.device) -> str:
    """Why the fused kernels do not run on tensors of ``device``; empty where they do.

    Triton compiles for CUDA. On other devices its interpreter runs the same kernels,
    slowly and for tests, where the environment variable ``TRITON_INTERPRET`` is 1.
    """
    interpreted = os.environ.get('TRITON_INTERPRET') == '1'
    if device.type != 'cuda' and not interpreted:
        return f'the tensors are on {device.type}, and Triton compiles for CUDA'
    return _triton_problem()
