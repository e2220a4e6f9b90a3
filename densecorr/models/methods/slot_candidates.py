"""Masks that slots propose for the frames of a video."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from densecorr.ops.noise import item_noise
from densecorr.ops.slots import (
    candidate_masks,
    chunks_of,
    enlarge_areas,
    instance_areas,
    owners_of,
    slot_similarity,
)

_STREAM = 0  # of the noise


class Candidates(NamedTuple):
    """What one frame is offered.

    Attributes:
        masks: ``(n, H, W)`` bool; they may overlap.
        owners: ``(H, W)`` int64 candidate that has each pixel to itself, -1 for none.
        slots: ``(n, c)`` instance slots, by which frames can be linked.
    """

    masks: Tensor
    owners: Tensor
    slots: Tensor


@torch.no_grad()
def video_candidates(
    method: Any,
    frames: Tensor,
    size: tuple[int, int],
    chunk: int = 4,
    similarity: float = 0.5,
    threshold: float = 0.3,
    seed: int = 0,
) -> Iterator[Candidates]:
    """Candidates of frame after frame, from instance slots like their semantic slot.

    Chunks of frames are seen together, so the first frame of a chunk looks at its last.

    Args:
        method: an SMTC, or another with ``slots_of(frames, noise)`` and ``head``, in
            evaluation mode.
        frames: ``(t, 3, H, W)`` as the method takes them.
        size: (H, W) of the masks.
        chunk: frames seen together.
        similarity: least cosine of an instance slot and its semantic slot.
        threshold: see :func:`densecorr.ops.slots.candidate_masks`.
        seed: of the noise; chunk i of every video with one seed has the same.

    Reference: official shvdiwnkozbw/SMTC ``eval_multi.py``, whose noise has no seed.
    """
    stride = method.backbone.stride
    grid = (frames.shape[-2] // stride, frames.shape[-1] // stride)
    for number, (chosen, own) in enumerate(chunks_of(len(frames), chunk)):
        shape = (chunk, *method.head.noise_shape)
        noise = item_noise([seed], _STREAM + number, shape, frames.device, normal=True)
        slots = method.slots_of(frames[chosen][None], noise)
        for areas, instances in slots_that_count(slots, own, similarity):
            masks = candidate_masks(areas, grid, size, threshold)
            owners = owners_of(enlarge_areas(areas, grid, size), masks)
            yield Candidates(masks, owners, instances)


def slots_that_count(
    slots: Any, frames: int, similarity: float
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shares ``(n, h * w)`` and vectors ``(n, c)`` of instance slots, frame by frame.

    Args:
        slots: what a :class:`densecorr.models.heads.slots.SlotHead` found in one chunk.
        frames: so many of its first frames.
        similarity: least cosine of an instance slot and its semantic slot.
    """
    areas = instance_areas(slots.semantic_dots, slots.instance_dots)[0]
    similar = slot_similarity(slots.semantic_slots, slots.instance_slots)[0]
    for t in range(frames):
        kept = similar[t] >= similarity  # (s, p)
        yield areas[t][kept], slots.instance_slots[0, t][kept]
