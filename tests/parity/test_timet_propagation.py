"""TimeT: the feature forwarder, in its loss and its test of mask propagation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from densecorr.evaluation.functional.cluster_matching import contingency, unit_scores
from densecorr.ops.window import Window
from densecorr.propagation.labels import (
    encode_labels,
    floor_nearest,
    upsample_argmax,
)
from densecorr.propagation.propagator import LabelPropagator
from densecorr.propagation.protocol import Protocol

from .adapters_propagation import all_limits, run_frames
from .pipelines import protocol_of
from .replay import Case, replay

# predictions and labels that are compared: prediction 1 is that of frame 1
PAIRS = dict(
    aligned=(slice(0, None), slice(1, None)), shifted=(slice(1, None), slice(1, -1))
)


@replay(
    'timet',
    'feature_forwarder',
    inputs=[
        *('features', 'first_segmentation', 'n_last_frames', 'radius'),
        *('topk', 'temperature', 'grid'),
    ],
)
def test_feature_forwarder(case: Case) -> None:
    shipped = Protocol.from_config(protocol_of('timet'))
    context = replace(shipped.context, num_frames=case.n_last_frames)
    rule = replace(shipped.select, topk=case.topk, temperature=case.temperature)
    window = replace(shipped.window, radius=case.radius)
    feats = case.tensor('features').unflatten(1, (case.grid, case.grid))
    feats = feats.permute(0, 3, 1, 2)  # (t, c, h, w)
    first = case.tensor('first_segmentation')
    for limits in all_limits():
        for name, area in (
            ('segmentations', window),
            ('segmentations_unrestricted', Window()),
        ):
            propagator = LabelPropagator(context, area, rule, limits=limits)
            soft = run_frames(propagator, feats, first)
            case.close(name, soft[1:], atol=1e-5)


@replay(
    'timet',
    'mask_propagation_eval',
    inputs=[
        *('features', 'annotations', 'grid', 'n_last_frames', 'radius'),
        *('topk', 'temperature', 'resolution'),
    ],
)
def test_mask_propagation_eval(case: Case) -> None:
    shipped = Protocol.from_config(protocol_of('timet'))
    propagator = LabelPropagator(
        replace(shipped.context, num_frames=case.n_last_frames),
        replace(shipped.window, radius=case.radius),
        replace(shipped.select, topk=case.topk, temperature=case.temperature),
    )
    grid, size = (case.grid, case.grid), (case.resolution, case.resolution)
    feats = case.tensor('features').unflatten(1, grid).permute(0, 3, 1, 2)
    ids = list(range(int(case.annotations[0].max()) + 1))
    codec = shipped.labels
    small = floor_nearest(torch.from_numpy(case.annotations[0]), grid).numpy()
    first = encode_labels(small, ids, grid, codec.encode).to(feats.device)
    soft = run_frames(propagator, feats, first)
    maps = [upsample_argmax(one, size, codec.decode)[0] for one in soft[1:]]
    predictions = np.stack([one.cpu().numpy() for one in maps])
    case.exact('predictions', predictions)
    for name, (shown, annotated) in PAIRS.items():
        frames = zip(predictions[shown], case.annotations[annotated], strict=True)
        tables = [[contingency(pred, target) for pred, target in frames]]
        for suffix, background in (('with_bg', True), ('without_bg', False)):
            score = unit_scores(tables, 'frame', 'hungarian', background).mean()
            case.close(f'frame_wise_{name}_{suffix}', score, atol=1e-9)
