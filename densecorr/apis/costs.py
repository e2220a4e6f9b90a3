"""Operations, seconds and memory of a piece of work."""

from __future__ import annotations

import copy
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def backbone_flops(
    backbone: torch.nn.Module, size: tuple[int, int]
) -> tuple[float, tuple[int, int, int]]:
    """FLOP of one image of ``size`` (H, W), and the shape (c, h, w) of its features.

    Nothing is computed: the network runs on tensors without data.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        meta = copy.deepcopy(backbone).to('meta')
        maps = meta(torch.empty(1, 3, *size, device='meta'))
    channels, h, w = maps[-1].shape[1:]
    return float(counter.get_total_flops()), (channels, h, w)


@torch.inference_mode()
def timed_call(work: Callable[[], Any]) -> float:
    """Seconds of a call, the work of a GPU in them."""
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_bytes() -> float:
    """Peak memory of this process: of the GPU where there is one, else resident."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return float(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == 'darwin' else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
