"""Labelled images in memory, for metrics of cached features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densecorr.structures import LabelledImage, LabelMap


def labelled(
    name: str, labels: np.ndarray, part: str = 'test', group: str | None = None
) -> LabelledImage:
    """A black image with these labels."""
    return LabelledImage(
        name=f'{part}/{name}',
        group=group or f'{part}/{name}',
        read_image=lambda: np.zeros((*labels.shape, 3), np.uint8),
        read_labels=lambda: LabelMap(labels),
        hash_inputs=lambda: name,
        part=part,
    )


def two_parts(
    rng: np.random.Generator, counts: Sequence[int] = (6, 4), side: int = 16
) -> list[LabelledImage]:
    """Images with a square of class 1 and one of class 2, at even places, by part."""
    found = []
    for part, count in zip(('train', 'test'), counts, strict=True):
        for i in range(count):
            labels = np.zeros((side, side), np.uint8)
            for number in (1, 2):
                top, left = 2 * rng.integers(0, (side - 6) // 2, 2)
                labels[top : top + 6, left : left + 6] = number
            found.append(labelled(str(i), labels, part))
    return found


def coded(images: Sequence[LabelledImage], channels: int = 4) -> np.ndarray:
    """One channel per class, ``(n, h, w, c)`` float16."""
    labels = np.stack([image.read_labels().indices for image in images])
    return np.eye(channels, dtype=np.float16)[np.minimum(labels, channels - 1)]
