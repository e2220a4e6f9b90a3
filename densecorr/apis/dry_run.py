"""What an evaluation would cost, without writing anything."""

from __future__ import annotations

import contextlib
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from densecorr.apis.config import resolve, tracker_config
from densecorr.apis.costs import backbone_flops, peak_bytes, timed_call
from densecorr.apis.dry_run_features import feature_estimate, format_feature_estimate
from densecorr.apis.evaluate import check_checkpoint, load_weights, seed_of
from densecorr.apis.zoo import fetch_from_zoo
from densecorr.engine.launch import start_processes, stop_processes
from densecorr.engine.progress import format_seconds
from densecorr.ops.window import Window
from densecorr.propagation.context import Context
from densecorr.propagation.protocol import Protocol
from densecorr.propagation.tracker import results_of
from densecorr.registry import DATASETS, MODELS
from densecorr.structures import VideoSample

_GIGA = 1e9
_MEGABYTE = 2**20
_PROBED = 4  # frames that are tracked to measure the speed
_FLOAT_BYTES = 4


def estimate(
    config: str | Path,
    task: str,
    checkpoint: str | None,
    *,
    timed: bool = True,
    protocol: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    source: str | None = None,
    allow_unsafe: bool = False,
    device: str | None = None,
    threads: int | None = None,
    tf32: bool = False,
) -> dict[str, Any]:
    """Frames, GFLOP, time and memory of an evaluation by one process like this one.

    The speed is measured on the first frames of the first video and scaled by the
    number of operations: the context of later frames is longer. Decoding, scoring and
    writing are not counted.

    Args:
        config: as in :func:`densecorr.apis.evaluate.evaluate`, like the others.
        task: of the config.
        checkpoint: loaded where ``timed``, so that a bad one is found now.
        timed: measure; otherwise no frame is computed and time and memory are None.
        protocol: that replaces the config's.
        cfg_options: changes of the config.
        source: format of the checkpoint.
        allow_unsafe: unpickle whatever the checkpoint holds, which may run code.
        device: to compute on.
        threads: to compute with.
        tf32: allow TF32 on a GPU.

    Returns:
        ``videos``, ``frames``, ``gflop_features``, ``gflop_propagation`` (scores inside
        the window), ``seconds``, ``memory_mb``.
    """
    cfg = resolve(config, task, protocol, cfg_options)
    checkpoint, source = fetch_from_zoo(
        check_checkpoint(checkpoint), config, source, fetch=timed
    )
    processes = start_processes(device, threads, tf32, seed_of(cfg))
    try:
        dataset: Any = DATASETS.build(cfg.test_dataset)
        where = contextlib.nullcontext() if timed else torch.device('meta')
        with where:  # without weights where none are needed
            tracker: Any = MODELS.build(tracker_config(cfg)).eval()
        if timed:
            expected = cfg.get('checkpoint_source')
            tracker = tracker.to(processes.device)
            load_weights(tracker, checkpoint, source, allow_unsafe, processes, expected)
        note = dataset.metainfo.get('note', '')
        if not hasattr(tracker, 'track'):
            found = feature_estimate(tracker, dataset, cfg.test_evaluator, timed=timed)
            return {**found, 'note': note}
        videos = [dataset[i] for i in range(len(dataset))]
        sizes = {video.size for video in videos}
        features = {size: feature_flops(tracker, size) for size in sizes}
        works = [
            video_flops(tracker.protocol, video, features[video.size])
            for video in videos
        ]
        totals = [sum(part) for part in zip(*works, strict=True)]
        found = dict(
            videos=len(videos),
            frames=sum(video.num_frames for video in videos),
            gflop_features=totals[0] / _GIGA,
            gflop_propagation=totals[1] / _GIGA,
            seconds=None,
            memory_mb=None,
            note=note,
        )
        if timed:
            found.update(_measure(tracker, videos[0], totals))
    finally:
        stop_processes()
    return found


def format_estimate(found: Mapping[str, Any]) -> str:
    """What :func:`estimate` returned, as lines for the screen."""
    lines = _video_lines(found) if 'videos' in found else format_feature_estimate(found)
    return '\n'.join([*lines, found['note']] if found['note'] else lines)


def _video_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [
        f'videos       {found["videos"]}',
        f'frames       {found["frames"]}',
        f'features     {found["gflop_features"]:.1f} GFLOP',
        f'propagation  {found["gflop_propagation"]:.1f} GFLOP inside the window',
    ]
    if found['seconds'] is not None:
        lines += [
            f'time         about {format_seconds(found["seconds"])} on one process',
            f'memory       about {found["memory_mb"]:.0f} MB',
        ]
    return lines


def video_flops(
    protocol: Protocol, video: VideoSample, features: tuple[float, tuple[int, int, int]]
) -> tuple[float, float]:
    """Operations of the features and of the propagation of a video, both in FLOP.

    Args:
        protocol: of the tracker.
        video: only its number of frames counts.
        features: what :func:`feature_flops` says of its frames.
    """
    per_frame, (channels, h, w) = features
    count = video.num_frames
    scores = context_scores(protocol.context, protocol.window, (h, w), count)
    return per_frame * count, 2.0 * channels * scores


def feature_flops(
    tracker: Any, image_size: tuple[int, int]
) -> tuple[float, tuple[int, int, int]]:
    """FLOP of the features of a frame of ``image_size`` (H, W), and their shape.

    The shape (c, h, w) is that on the grid of labels.
    """
    size = tracker.inputs.plan(*image_size).input_size
    flops, (channels, h, w) = backbone_flops(tracker.backbone, tracker.seen_size(size))
    h, w = tracker.label_grid(size) or (h, w)
    return flops, (channels, h, w)


def context_scores(
    context: Context, window: Window, grid: tuple[int, int], num_frames: int
) -> int:
    """Pairs of a query and an allowed key over the frames of a video."""
    inside = window_scores(window, grid)
    outside = (grid[0] * grid[1]) ** 2 - inside
    counts = Counter(frames_of(context, t) for t in range(1, num_frames))
    return sum(
        times * (near * inside + far * outside) for (near, far), times in counts.items()
    )


def frames_of(context: Context, t: int) -> tuple[int, int]:
    """Frames that frame ``t`` looks into, inside the window and outside of it."""
    entries = context.entries(t).values()
    return sum(near > 0 for near, _ in entries), sum(far > 0 for _, far in entries)


def window_scores(window: Window, grid: tuple[int, int]) -> int:
    """Pairs of a query and a key of one frame that the window allows."""
    h, w = grid
    dy = torch.arange(1 - h, h)[:, None]
    dx = torch.arange(1 - w, w)[None]
    pairs = (h - dy.abs()) * (w - dx.abs())  # (2h-1, 2w-1) pairs with this offset
    return int(pairs[window.contains(dy, dx)].sum())


def _measure(tracker: Any, video: VideoSample, totals: list[float]) -> dict[str, float]:
    """Seconds and megabytes of work ``totals``, from the first frames of a video."""
    count = min(_PROBED, video.num_frames)
    known = tuple(i for i in video.first_label_frames if i < count)
    probe = replace(
        video,
        frame_names=video.frame_names[:count],
        label_frames=tuple(i for i in video.label_frames if i < count),
        first_label_frames=known,
        written_frames=None,
    )
    frame = video.read_frame(0)
    times = [timed_call(lambda: tracker.features([frame])) for _ in range(count)]
    features = statistics.median(times)
    both = timed_call(lambda: list(results_of(tracker, probe)))
    of_frame = feature_flops(tracker, video.size)
    work = video_flops(tracker.protocol, probe, of_frame)
    propagation = max(both - count * features, 0.0)
    seconds = totals[0] * count * features / work[0]
    seconds += totals[1] * propagation / work[1] if work[1] else 0.0
    kept = tracker.protocol.context.num_frames + 1
    channels, h, w = of_frame[1]
    bank = max(0, kept - count) * channels * h * w * _FLOAT_BYTES
    return dict(seconds=seconds, memory_mb=(peak_bytes() + bank) / _MEGABYTE)
