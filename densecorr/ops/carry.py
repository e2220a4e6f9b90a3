"""Soft labels of the first frame of short clips, carried to the last one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .keys import Keys
from .precision import full_precision
from .propagate import propagate
from .selection import Rule
from .window import Window


@torch.no_grad()
@full_precision
def carry_labels(
    feats: Tensor, first: Tensor, num_frames: int, window: Window, rule: Rule
) -> Tensor:
    """Soft labels of frames 1 to t - 1 of clips, by :func:`propagate`.

    Frame t looks into frame 0 and into the last ``num_frames`` of frames 1 to t - 1,
    with their soft labels. Features get length 1 first.

    Args:
        feats: ``(b, t, h, w, c)`` with t of at least 2.
        first: ``(b, h, w, o)`` soft labels of frame 0.
        num_frames: recent frames besides frame 0.
        window: restriction of all frames.
        rule: slots, temperature, ties, weights.

    Returns:
        ``(b, t - 1, h, w, o)`` float32.

    Raises:
        ValueError: shapes that do not fit, or clips of one frame.

    Reference: Salehi et al. (TimeT), ICCV 2023, arXiv:2308.11796, Sec. 3.1.
    """
    if feats.ndim != 5 or feats.shape[1] < 2:
        raise ValueError(
            f'feats are {tuple(feats.shape)}; labels are carried through clips (b, t, '
            'h, w, c) of at least 2 frames.'
        )
    b, t, h, w, _ = feats.shape
    if first.ndim != 4 or first.shape[:3] != (b, h, w):
        raise ValueError(
            f'first labels are {tuple(first.shape)}; for features of '
            f'{tuple(feats.shape)} give ({b}, {h}, {w}, labels).'
        )
    feats = F.normalize(feats, dim=-1)
    carried = first.new_empty(b, t, h * w, first.shape[-1])
    carried[:, 0] = first.flatten(1, 2)
    for clip, labels in zip(feats, carried, strict=True):
        for frame in range(1, t):
            start = max(1, frame - num_frames)
            seen = [0, *range(start, frame)]
            whole = len(seen) == frame  # all frames so far: views will do
            keys = clip[:frame] if whole else clip[seen]
            known = labels[:frame] if whole else labels[seen]
            memory = Keys(keys, (1,) * len(seen), (0,) * len(seen))
            found = propagate(clip[frame], memory, known.flatten(0, 1), window, rule)
            labels[frame] = found.labels.flatten(0, 1)
    return carried[:, 1:].unflatten(2, (h, w))
