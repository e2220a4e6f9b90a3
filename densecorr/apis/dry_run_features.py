"""What an evaluation of cached features would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from densecorr.apis.costs import backbone_flops, peak_bytes, timed_call
from densecorr.engine.progress import format_seconds
from densecorr.registry import METRICS

_GIGA = 1e9
_MEGABYTE = 2**20
_CACHED_BYTES = 2  # float16
_PROBED = 2  # images whose features are computed to measure the speed


def feature_estimate(
    model: torch.nn.Module, dataset: Any, evaluator: Any, *, timed: bool
) -> dict[str, Any]:
    """Images, GFLOP, time, memory and disk of the features of a dataset.

    The work of the metric on them, such as k-means or a probe, is not counted: its jobs
    are.

    Args:
        model: that makes the features, with weights where ``timed``.
        dataset: of :class:`densecorr.structures.LabelledImage`.
        evaluator: configs of the metric.
        timed: measure the speed on the first images; otherwise none is computed.

    Returns:
        ``images``, ``jobs``, ``gflop_features``, ``cache_mb``, ``seconds``,
        ``memory_mb``.
    """
    images = [dataset[i] for i in range(len(dataset))]
    config = evaluator if isinstance(evaluator, Mapping) else evaluator[0]
    metric: Any = METRICS.build({**config})
    extractor: Any = model
    first = images[0].read_image()
    size = extractor.input_size(*first.shape[:2])
    flops, (channels, h, w) = backbone_flops(extractor.backbone, size)
    cached = channels if getattr(extractor, 'cached', True) else 0
    found: dict[str, Any] = dict(
        images=len(images),
        jobs=len(metric.jobs(images)),
        gflop_features=flops * len(images) / _GIGA,
        cache_mb=len(images) * cached * h * w * _CACHED_BYTES / _MEGABYTE,
        seconds=None,
        memory_mb=None,
    )
    if timed:
        attention = getattr(metric, 'reads_attention', False)
        times = [
            timed_call(lambda: extractor.maps([first], attention))
            for _ in range(_PROBED)
        ]
        found.update(
            seconds=min(times) * len(images), memory_mb=peak_bytes() / _MEGABYTE
        )
    return found


def format_feature_estimate(found: Mapping[str, Any]) -> list[str]:
    """Lines for the screen of what :func:`feature_estimate` returned."""
    lines = [
        f'images       {found["images"]}',
        f'features     {found["gflop_features"]:.1f} GFLOP, '
        f'{found["cache_mb"]:.0f} MB on disk',
        f'metric       {found["jobs"]} jobs on them, not counted below',
    ]
    if found['seconds'] is not None:
        lines += [
            f'time         about {format_seconds(found["seconds"])} on one process',
            f'memory       about {found["memory_mb"]:.0f} MB',
        ]
    return lines
