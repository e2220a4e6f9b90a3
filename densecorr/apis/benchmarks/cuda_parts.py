"""What a CUDA machine does: bare copies and products, propagation, features.

Every function runs on the CPU, too, at the toy sizes of its caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from densecorr.apis.benchmarks.memory import process_bytes, restart_peak
from densecorr.apis.benchmarks.propagation import (
    CASES,
    Case,
    dense_baseline,
    smooth_features,
)
from densecorr.ops.kernels import fused_problem
from densecorr.ops.keys import Keys
from densecorr.ops.propagate import PRECISIONS, propagate
from densecorr.ops.selection import Rule
from densecorr.registry import MODELS

METHODS = ('dense', 'windowed', 'fused')
NETWORKS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    'ResNet-18 stride 8': (
        dict(type='ResNet', depth=18, strides=(1, 2, 1, 1), out_indices=(2,)),
        (480, 856),
    ),
    'ViT-S/16': (
        dict(
            type='TimmFeatures',
            arch='vit_small_patch16_224',
            pos_embed_rule='scale_factor',
        ),
        (480, 848),
    ),
}
_TOY_CASE = Case('toy', 5, 8, 16, 2, CASES['vit-s16'].window, 5)
_TOY_SIZE = (64, 64)
_TEMPERATURE = 0.05


class Meter:
    """Seconds and peak memory of calls on a device.

    Args:
        device: ``'cuda'`` or ``'cpu'``.
        repeats: calls whose median counts, after one that warms up.
    """

    def __init__(self, device: str, repeats: int = 5) -> None:
        self.device, self.repeats = torch.device(device), repeats

    def __call__(self, run: Callable[[], object]) -> dict[str, float]:
        """Median ``seconds`` of a call, ``peak_bytes`` above what was there before."""
        run()
        before = self._before()
        seconds = []
        for _ in range(self.repeats):
            self._wait()
            start = time.perf_counter()
            run()
            self._wait()
            seconds.append(time.perf_counter() - start)
        return dict(seconds=median(seconds), peak_bytes=self._peak() - before)

    def _wait(self) -> None:
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)

    def _before(self) -> int:
        if self.device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(self.device)
            return torch.cuda.memory_allocated(self.device)
        restart_peak()
        return process_bytes('VmRSS')

    def _peak(self) -> int:
        if self.device.type == 'cuda':
            return torch.cuda.max_memory_allocated(self.device)
        return process_bytes('VmHWM')


def measure_machine(meter: Meter, toy: bool) -> dict[str, float]:
    """Measured limits: bytes a second of a copy, operations a second of products.

    Args:
        meter: of the device.
        toy: small tensors.

    Returns:
        ``copied_bytes_per_s`` (read and written), ``float32_flops`` (TF32 off) and
        ``bfloat16_flops`` of a square product, in operations a second.
    """
    numbers, side = (2**16, 128) if toy else (2**28, 8192)
    source = torch.zeros(numbers, device=meter.device)
    target = torch.empty_like(source)
    seconds = meter(lambda: target.copy_(source))['seconds']
    found = dict(copied_bytes_per_s=2 * 4 * numbers / seconds)
    for dtype in (torch.float32, torch.bfloat16):
        left = torch.randn(side, side, device=meter.device).to(dtype)
        right = torch.randn(side, side, device=meter.device).to(dtype)
        name = f'{str(dtype).removeprefix("torch.")}_flops'
        seconds = meter(partial(torch.matmul, left, right))['seconds']
        found[name] = 2 * side**3 / seconds
    return found


def measure_propagation(
    meter: Meter, toy: bool, machine: dict[str, float]
) -> list[dict[str, Any]]:
    """One frame by every path and precision, beside dense affinity in plain torch.

    Args:
        meter: of the device.
        toy: one small case.
        machine: of :func:`measure_machine`.

    Returns:
        rows with ``case``, ``method``, ``precision``, ``seconds``, ``peak_bytes``,
        ``of_copies`` and ``of_products``: the time that the machine needs for the bytes
        (features, labels and result, once) and the products (of allowed pairs) as a
        share of the time taken; ``largest_difference`` of the labels to the baseline's.
    """
    rows: list[dict[str, Any]] = []
    for case in [_TOY_CASE] if toy else CASES.values():
        query, feats, labels = (x.to(meter.device) for x in smooth_features(case))
        allowed = case.window.allowed(case.h, case.w).to(meter.device)
        baseline = partial(dense_baseline, query, feats, labels, case, allowed)
        base, cost = baseline(), meter(baseline)
        common: dict[str, Any] = dict(case=case.name, precision='float32')
        rows.append(dict(common, method='plain torch', largest_difference=0.0, **cost))
        for method in _methods(meter.device):
            for precision in PRECISIONS:
                run = _propagation(case, query, feats, labels, method, precision)
                difference = (run().flatten(0, 1) - base).abs().max().item()
                cost = meter(run)
                row = dict(common, method=method, precision=precision)
                rows.append(dict(row, largest_difference=difference, **cost))
        flops = 2 * case.c * _pairs(case, allowed)
        moved = 4 * sum(x.numel() for x in (query, feats, labels, base))
        for row in rows:
            if row['case'] == case.name:
                seconds = row['seconds']
                rate = machine[f'{row["precision"]}_flops']
                row['of_copies'] = moved / machine['copied_bytes_per_s'] / seconds
                row['of_products'] = flops / rate / seconds
    return rows


def measure_features(meter: Meter, toy: bool) -> list[dict[str, Any]]:
    """Dense features of a 480p frame, float32 and bfloat16 by autocast.

    Args:
        meter: of the device.
        toy: a small frame.

    Returns:
        rows with ``network``, ``precision``, ``seconds`` a frame and ``peak_bytes``.
    """
    rows = []
    for name, (config, size) in NETWORKS.items():
        torch.manual_seed(0)
        network: Any = MODELS.build(config).eval().to(meter.device)
        size = _TOY_SIZE if toy else size
        images = torch.randn(1, 3, *size, device=meter.device)
        for precision in PRECISIONS:
            cost = meter(_features(network, images, precision == 'bfloat16'))
            rows.append(dict(network=name, precision=precision, **cost))
    return rows


def _methods(device: torch.device) -> tuple[str, ...]:
    return METHODS[:2] if fused_problem(device) else METHODS


def _propagation(
    case: Case,
    query: Tensor,
    feats: Tensor,
    labels: Tensor,
    method: str,
    precision: str,
) -> Callable[[], Tensor]:
    near = (1,) * case.frames
    far = (int(case.first_global), *[0] * (case.frames - 1))
    keys = Keys(feats, near, far, center=feats[0].mean((0, 1)))
    rule = Rule(case.topk, _TEMPERATURE)
    options: dict[str, Any] = dict(method=method, precision=precision)
    return lambda: propagate(query, keys, labels, case.window, rule, **options).labels


def _pairs(case: Case, allowed: Tensor) -> int:
    """Query and key pairs that the window allows, over all frames."""
    windowed = case.frames - int(case.first_global)
    return int(allowed.sum()) * windowed + (case.h * case.w) ** 2 * case.first_global


def _features(network: Any, images: Tensor, bfloat16: bool) -> Callable[[], Tensor]:
    @torch.inference_mode()
    def run() -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            return F.normalize(network(images)[-1].float(), dim=1)

    return run
