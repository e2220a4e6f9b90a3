"""Forms of the golden cases that densecorr does not have."""

from __future__ import annotations

from collections import Counter

import numpy as np
import torch
from torch import Tensor

from densecorr.ops.keys import Keys
from densecorr.ops.propagate import slots_reference, topk_slots
from densecorr.ops.selection import Rule, Slots, slot_weights
from densecorr.ops.size_policy import SizePlan
from densecorr.ops.window import Window
from densecorr.propagation.context import Context
from densecorr.propagation.labels import LabelCodec, encode_labels
from densecorr.propagation.propagator import LabelPropagator, Limits
from densecorr.registry import MODELS

from .pipelines import load_golden
from .replay import Case


def crw_context(num_context: int, long_mem: list[int]) -> Context:
    """CRW's ``n_context`` and ``long_mem``: entry 0 is the first frame, global."""
    return Context(
        num_frames=num_context,
        first='global' if 0 in long_mem else 'none',
        repeat_first=True,
        long_memory=tuple(m for m in long_mem if m),
    )


def padded_row(row: np.ndarray, num_memory: int, num_context: int) -> tuple:
    """A row of CRW's index bank as (near, far) counts of real frames."""
    real = [max(0, int(index) - num_context) for index in row]
    return Counter(real), Counter(real[:num_memory])


def run_frames(propagator: LabelPropagator, feats: Tensor, label0: Tensor) -> Tensor:
    """``(T, c, h, w)`` features and ``(o, h, w)`` labels to ``(T, o, h, w)``."""
    propagator.start()
    soft = [propagator.step(feats[0], label0)]
    soft += [propagator.step(frame) for frame in feats[1:]]
    return torch.stack(soft)


def context_weights(
    context: Context, window: Window, rule: Rule, feats: Tensor, t: int, how: str
) -> Tensor:
    """Weights of the slots of frame ``t``, ``(k, n)``, from unit ``(T, h, w, c)``."""
    entries = context.entries(t)
    near = tuple(entries.get(frame, (0, 0))[0] for frame in range(len(feats)))
    far = tuple(entries.get(frame, (0, 0))[1] for frame in range(len(feats)))
    keys = Keys(feats, near, far)
    if how == 'reference':
        slots: Slots = slots_reference(feats[t], keys, window, rule)
    else:
        slots = topk_slots(feats[t], keys, window, rule, method=how)
    return slot_weights(slots.values, rule).t()


def all_limits() -> list[Limits]:
    """Every way to compute that must give the golden result."""
    return [
        Limits(method='dense'),
        Limits(method='auto'),
        Limits(max_memory='150KB'),
        Limits(precision='bfloat16'),
    ]


def replay_vanilla_tracker(
    case: Case, suffix: str, with_first: bool, first_windowed: bool, source: str
) -> None:
    """Logits and labels of VFS's and Spa-then-Temp's tracker for one setting."""
    mode = str(case[f'mode{suffix}'])
    backbone = MODELS.build(
        dict(
            type='ResNet',
            depth=18,
            strides=tuple(int(s) for s in case.strides),
            out_indices=(int(case.out_index),),
            pool=str(case.pool),
        )
    ).eval()
    load_golden(backbone, dict(state_dict=case.state_dict()), source)
    first = 'windowed' if first_windowed else 'global'
    propagator = LabelPropagator(
        Context(
            num_frames=int(case[f'precede_frames{suffix}']),
            first=first if with_first else 'none',
        ),
        Window(mode, int(case.neighbor_range) // 2, inclusive=mode == 'square'),
        Rule(int(case.topk), float(case.temperature)),
    )
    with torch.no_grad():
        feats = backbone(case.tensor('imgs').transpose(0, 1))[-1]  # (t, c, h, w)
    original = (int(case.original_shape[0]), int(case.original_shape[1]))
    reference = case.ref_seg_map
    plan = SizePlan(original, reference.shape, reference.shape)
    logits = case[f'logits{suffix}']
    ids = list(range(logits.shape[1]))
    codec = LabelCodec(encode='nearest', stretch='channel', first_output='resized')
    label0 = encode_labels(reference, ids, feats.shape[2:], 'nearest')
    soft = run_frames(propagator, feats, label0)
    case.close(f'logits{suffix}', soft[1:], atol=1e-4)
    labels = [codec.first_labels(reference, label0, ids, plan)]
    labels += [codec.to_labels(frame, ids, plan) for frame in soft[1:]]
    case.share_equal(f'labels{suffix}', np.stack(labels), 0.999)
