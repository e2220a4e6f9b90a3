"""The score of cluster maps, and k-means, against what they replace.

The baseline of the score is a mask per class and cluster, as released evaluators have
it; that of k-means is faiss-cpu, where it is installed (``pip install faiss-cpu``).
Each pair runs in turn in one process, on the same data, and must agree.
"""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log

from densecorr.apis.benchmarks.timing import alternate
from densecorr.evaluation.functional.cluster_matching import (
    BACKGROUND,
    cluster_scores,
    contingency,
    match_clusters,
)
from densecorr.ops.kmeans import KMeansRule, kmeans

TARGET_FACTOR = 50.0  # of the time of the masks
TARGET_SHARE = 1.5  # of the time of faiss
TARGET_INERTIA = 0.01  # more than that of faiss, relative
TARGET_DIFFERENCE = 1e-12
CLOCKS = dict(wall=time.perf_counter, cpu=time.process_time)


def literal_miou(pred: np.ndarray, target: np.ndarray) -> float:
    """Hungarian mean IoU with a mask for every class and every cluster.

    The assignment itself is shared: masks are what takes the time.
    """
    classes, clusters = np.unique(target), np.unique(pred)
    counts = np.zeros((len(classes), len(clusters)), np.int64)
    for row, label in enumerate(classes):
        for column, cluster in enumerate(clusters):
            counts[row, column] = np.sum((target == label) & (pred == cluster))
    table = contingency(clusters, clusters)._replace(counts=counts, classes=classes)
    matched = match_clusters(table)
    found = np.full(pred.shape, BACKGROUND)
    for cluster, label in zip(clusters, matched, strict=True):
        found[pred == cluster] = label
    scores = []
    for label in classes:
        hit = np.sum((found == label) & (target == label))
        scores.append(hit / np.sum((found == label) | (target == label)))
    return float(np.mean(scores))


def compare_scores(
    num_pixels: int, num_classes: int, num_clusters: int, pairs: int, seed: int = 0
) -> dict[str, float]:
    """CPU seconds of both (median of alternating runs) and how far scores differ."""
    rng = np.random.default_rng(seed)
    target = rng.integers(0, num_classes, num_pixels)
    other = rng.integers(0, num_clusters, num_pixels)
    pred = np.where(rng.random(num_pixels) < 0.5, target % num_clusters, other)
    scores: dict[str, float] = {}

    def masks() -> None:
        scores['masks'] = literal_miou(pred, target)

    def table() -> None:
        scores['table'] = cluster_scores(pred, target).miou

    runs = dict(masks=masks, table=table)
    medians = alternate(runs, pairs, clock=time.process_time)
    return dict(
        **medians,
        factor=medians['masks'] / medians['table'],
        difference=abs(scores['masks'] - scores['table']),
    )


def make_points(num_points: int, dim: int, seed: int = 0) -> torch.Tensor:
    """Noisy copies of a thousand directions, as features of patches are."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.randn(1000, dim, generator=generator)
    which = torch.randint(1000, (num_points,), generator=generator)
    return centers[which] + torch.randn(num_points, dim, generator=generator)


def total_inertia(points: torch.Tensor, centers: torch.Tensor) -> float:
    """Sum of the squared distances to the nearest centre."""
    total = 0.0
    for piece in points.split(4096):
        total += float(torch.cdist(piece, centers).amin(1).square().double().sum())
    return total


def compare_kmeans(
    points: torch.Tensor,
    num_clusters: int,
    iterations: int,
    pairs: int,
    faiss: Any,
    clock: str = 'wall',
) -> dict[str, float]:
    """Seconds and inertia of ours and, unless it is None, of faiss."""
    centers: dict[str, torch.Tensor] = {}
    rule = KMeansRule(iterations=iterations, restarts=1)

    def ours() -> None:
        generator = torch.Generator().manual_seed(1)
        centers['ours'] = kmeans(points, num_clusters, generator, rule).centers

    def theirs() -> None:
        found = faiss.Kmeans(
            points.shape[1], num_clusters, niter=iterations, nredo=1, seed=1
        )
        found.train(points.numpy())
        centers['faiss'] = torch.from_numpy(np.array(found.centroids))

    runs = dict(ours=ours) if faiss is None else dict(ours=ours, faiss=theirs)
    medians = alternate(runs, pairs, CLOCKS[clock])
    inertia = {f'{k}_inertia': total_inertia(points, c) for k, c in centers.items()}
    return dict(**medians, **inertia)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(
        prog='benchmark.py segmentation', description=__doc__
    )
    parser.add_argument('--pixels', type=int, default=1_000_000)
    parser.add_argument('--classes', type=int, default=21)
    parser.add_argument('--clusters', type=int, nargs='+', default=[21, 500])
    parser.add_argument('--points', type=int, default=40_000)
    parser.add_argument('--dim', type=int, default=384)
    parser.add_argument('--centers', type=int, default=500)
    parser.add_argument('--iterations', type=int, default=10)
    parser.add_argument('--pairs', type=int, default=3)
    parser.add_argument('--threads', type=int, help='of both; default: all cores')
    parser.add_argument(
        '--clock',
        choices=CLOCKS,
        default='wall',
        help='of k-means; cpu where other programs run on the cores',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if a target is missed."""
    args = parse_args(argv)
    failed = False
    for number in args.clusters:
        found = compare_scores(args.pixels, args.classes, number, args.pairs)
        factor, difference = found['factor'], found['difference']
        missed, differs = factor < TARGET_FACTOR, difference > TARGET_DIFFERENCE
        failed |= missed or differs
        print_log(
            f'{args.pixels} pixels, {args.classes} classes, {number} clusters: masks '
            f'{found["masks"]:.3f} s, table {found["table"]:.4f} s, factor '
            f'{factor:.0f} (target {TARGET_FACTOR:.0f}: '
            f'{"MISSED" if missed else "reached"}), difference {difference:.1e}'
            f'{" TOO LARGE" if differs else ""}'
        )
    return int(_report_kmeans(args) or failed)


def _report_kmeans(args: argparse.Namespace) -> bool:
    """Measure and report k-means; True if a target is missed."""
    try:
        faiss = importlib.import_module('faiss')
    except ImportError:
        faiss = None
    if args.threads:
        torch.set_num_threads(args.threads)
    if faiss is not None:
        faiss.omp_set_num_threads(torch.get_num_threads())
    points = make_points(args.points, args.dim)
    found = compare_kmeans(
        points, args.centers, args.iterations, args.pairs, faiss, args.clock
    )
    text = (
        f'k-means of {args.points} x {args.dim}, K = {args.centers}, '
        f'{args.iterations} iterations, {torch.get_num_threads()} threads: ours '
        f'{found["ours"]:.2f} s, inertia {found["ours_inertia"]:.5g}'
    )
    if faiss is None:
        print_log(f'{text}; not compared: faiss-cpu is not installed')
        return False
    share = found['ours'] / found['faiss']
    more = found['ours_inertia'] / found['faiss_inertia'] - 1
    missed = share > TARGET_SHARE or more > TARGET_INERTIA
    print_log(
        f'{text}; faiss {found["faiss"]:.2f} s, inertia {found["faiss_inertia"]:.5g}; '
        f'time {share:.2f} of faiss (target {TARGET_SHARE}), inertia {more:+.2%} '
        f'(target {TARGET_INERTIA:+.0%}): {"MISSED" if missed else "reached"}'
    )
    return missed
