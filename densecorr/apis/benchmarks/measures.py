"""CPU time of J and F against the formulas taken literally.

The baseline works as the released evaluators do: per object a float64 plane of every
frame of the clip, boundaries by shifted copies, and one dilation of the full frame per
object and direction by a freshly made disk. Both see the same label maps, run in turn
in one process, and must give the same numbers.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from mmengine.logging import print_log

from densecorr.apis.benchmarks.timing import alternate
from densecorr.datasets import DAVISDataset
from densecorr.evaluation.functional.boundary import BOUND_TH
from densecorr.evaluation.functional.davis import frame_scores
from densecorr.utils.data_info import find_root, load_data_info

TARGET_SHARE = 0.5  # of the baseline's CPU time
TARGET_DIFFERENCE = 1e-9
_SIZE = (480, 854)  # of DAVIS at 480p
_LAG = 5  # a prediction from real annotations: that of some frames before


class Clip(NamedTuple):
    """Label maps of one video, ``(t, H, W)`` uint8 each."""

    name: str
    pred: np.ndarray
    target: np.ndarray


def generated_clip(
    num_objects: int, num_frames: int, size: tuple[int, int] = _SIZE, seed: int = 0
) -> Clip:
    """Ellipses of wavy outline that drift; the prediction is shifted and rougher."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: size[0], : size[1]]
    centres = rng.uniform(0.2, 0.8, (num_objects, 2)) * size
    speeds = rng.uniform(-3, 3, (num_objects, 2))
    radii = rng.uniform(0.08, 0.25, num_objects) * size[0]
    maps = np.zeros((2, num_frames, *size), np.uint8)
    for t in range(num_frames):
        for k in range(num_objects):
            for side, (shift, waves) in enumerate(((3, 9), (0, 5))):
                y, x = centres[k] + t * speeds[k] + shift
                angle = np.arctan2(rows - y, columns - x)
                limit = radii[k] * (1 + 0.15 * np.sin(waves * angle + t / 3))
                maps[side, t][np.hypot(rows - y, columns - x) < limit] = k + 1
    name = f'generated, {num_objects} objects, {num_frames} frames'
    return Clip(name, *maps)


def real_clips(root: Path, num_frames: int) -> Iterator[Clip]:
    """Annotations of DAVIS; the prediction is the annotation of a few frames before."""
    dataset = DAVISDataset(root=root, max_frames=num_frames + _LAG)
    for video in (dataset[index] for index in range(len(dataset))):
        maps = np.stack([video.read_labels(t).indices for t in video.label_frames])
        yield Clip(
            f'{video.name}, {len(maps) - _LAG} frames', maps[:-_LAG], maps[_LAG:]
        )


def literal_scores(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """J and F ``(2, o, t)`` of a clip by the formulas, object by object."""
    scores = []
    for k in range(1, int(target[0].max()) + 1):
        a, b = (pred == k).astype(np.float64), (target == k).astype(np.float64)
        inter = np.logical_and(a, b).sum((1, 2))
        union = np.logical_or(a, b).sum((1, 2))
        region = np.where(union > 0, inter / np.maximum(union, 1), 1.0)
        boundary = [_literal_f(x, y) for x, y in zip(a, b, strict=True)]
        scores.append([region, boundary])
    return np.array(scores).swapaxes(0, 1)


def _literal_f(pred: np.ndarray, target: np.ndarray) -> float:
    radius = math.ceil(BOUND_TH * math.hypot(*pred.shape))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x**2 + y**2 <= radius**2).astype(np.uint8)
    edges = [_literal_edges(pred), _literal_edges(target)]
    counts = [edge.sum() for edge in edges]
    if not all(counts):
        return float(counts[0] == counts[1])
    near = [cv2.dilate(edge.astype(np.uint8), disk) for edge in edges]
    precision = (edges[0] * near[1]).sum() / counts[0]
    recall = (edges[1] * near[0]).sum() / counts[1]
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def _literal_edges(plane: np.ndarray) -> np.ndarray:
    padded = np.pad(plane, ((0, 1), (0, 1)), mode='edge')
    here, right = padded[:-1, :-1], padded[:-1, 1:]
    return (here != right) | (here != padded[1:, :-1]) | (here != padded[1:, 1:])


def our_scores(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """J and F ``(2, o, t)`` of a clip, a frame at a time as the metric does."""
    objects = range(1, int(target[0].max()) + 1)
    frames = [frame_scores(p, t, objects) for p, t in zip(pred, target, strict=True)]
    return np.stack(frames, axis=-1)


def compare(clips: Sequence[Clip], pairs: int) -> dict[str, float]:
    """CPU seconds of both (median of alternating runs) and the largest difference."""
    scores: dict[str, list[np.ndarray]] = {}

    def run(name: str, score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        scores[name] = [score(clip.pred, clip.target) for clip in clips]

    runs = dict(
        literal=lambda: run('literal', literal_scores),
        ours=lambda: run('ours', our_scores),
    )
    medians = alternate(runs, pairs, clock=time.process_time)
    difference = max(
        float(np.abs(a - b).max())
        for a, b in zip(scores['literal'], scores['ours'], strict=True)
    )
    return dict(
        **medians, share=medians['ours'] / medians['literal'], difference=difference
    )


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py measures', description=__doc__)
    parser.add_argument('--objects', type=int, nargs='+', default=[1, 3, 8])
    parser.add_argument('--frames', type=int, default=10, help='of each clip')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--data', help='DAVIS root; default: the usual places')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if ours takes too long or differs."""
    args = parse_args(argv)
    cv2.setNumThreads(0)
    groups = [[generated_clip(n, args.frames)] for n in args.objects]
    try:
        root = find_root(load_data_info('davis'), args.data)
        groups += [[clip] for clip in islice(real_clips(root, args.frames), 3)]
        groups.append(list(real_clips(root, args.frames)))
    except FileNotFoundError:
        if args.data:
            raise
        print_log('No DAVIS here: generated clips only.')
    failed = False
    for clips in groups:
        result = compare(clips, args.pairs)
        name = clips[0].name if len(clips) == 1 else f'{len(clips)} DAVIS sequences'
        share, difference = result['share'], result['difference']
        missed, differs = share > TARGET_SHARE, difference > TARGET_DIFFERENCE
        failed |= missed or differs
        print_log(
            f'{name}: literal {result["literal"]:.3f} s, ours {result["ours"]:.3f} s '
            f'of CPU, share {share:.3f} or 1/{1 / share:.1f} (target {TARGET_SHARE}: '
            f'{"MISSED" if missed else "reached"}), largest difference '
            f'{difference:.1e}{" TOO LARGE" if differs else ""}'
        )
    return int(failed)
