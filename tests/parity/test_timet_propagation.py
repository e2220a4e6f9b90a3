"""TimeT: the feature forwarder, in its loss and its test of mask propagation."""

from __future__ import annotations

from dataclasses import replace

from densecorr.ops.window import Window
from densecorr.propagation.propagator import LabelPropagator
from densecorr.propagation.protocol import Protocol

from .adapters_propagation import all_limits, run_frames
from .pipelines import protocol_of
from .replay import Case, replay


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
