"""The formulas of the DAVIS measures written down once more, slow and plain."""

import itertools
import math

import numpy as np


def jaccard(pred, target):
    union = (pred | target).sum()
    return (pred & target).sum() / union if union else 1.0


def edges(region):
    padded = np.pad(region, ((0, 1), (0, 1)), mode='edge')
    here = padded[:-1, :-1]
    return (
        (here != padded[:-1, 1:]) | (here != padded[1:, :-1]) | (here != padded[1:, 1:])
    )


def within(plane, radius):
    """Pixels whose Euclidean distance to the plane is at most radius."""
    near = np.zeros_like(plane)
    height, width = plane.shape
    for y, x in zip(*np.nonzero(plane), strict=True):
        for dy, dx in itertools.product(range(-radius, radius + 1), repeat=2):
            inside = 0 <= y + dy < height and 0 <= x + dx < width
            if inside and dx * dx + dy * dy <= radius * radius:
                near[y + dy, x + dx] = True
    return near


def boundary(pred, target, bound_th=0.008):
    height, width = target.shape
    diagonal = math.sqrt(height**2 + width**2)
    radius = int(bound_th) if bound_th >= 1 else math.ceil(bound_th * diagonal)
    a, b = edges(pred), edges(target)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    precision = (a & within(b, radius)).sum() / a.sum()
    recall = (b & within(a, radius)).sum() / b.sum()
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def random_labels(rng, size=(37, 53), ids=(1, 2, 3), jitter=4):
    """Two label maps of overlapping rectangles, one a shifted copy of the other."""
    target, pred = np.zeros((2, *size), np.uint8)
    for label in ids:
        y, x = rng.integers(-3, size[0] - 4), rng.integers(-3, size[1] - 4)
        h, w = rng.integers(3, 20, 2)
        dy, dx = rng.integers(-jitter, jitter + 1, 2)
        target[max(y, 0) : y + h, max(x, 0) : x + w] = label
        pred[max(y + dy, 0) : y + dy + h, max(x + dx, 0) : x + dx + w] = label
    return pred, target
