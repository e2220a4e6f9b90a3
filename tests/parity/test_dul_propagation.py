"""DUL: label propagation with appearing objects, and its result files."""

from __future__ import annotations

import numpy as np
import torch

from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.labels import upsample_argmax
from densecorr.propagation.propagator import LabelPropagator
from densecorr.propagation.protocol import Protocol

from .adapters_propagation import all_limits
from .pipelines import protocol_of
from .replay import Case, replay


def _first_maps(case: Case) -> dict[int, np.ndarray]:
    """Annotation per frame, reduced to the ids that were never seen before."""
    frames = [int(t) for t in case.annotation_frames]
    return dict(zip(frames, case.annotations, strict=True))


@replay(
    'dul',
    'propagate_*',
    inputs=[
        'feats',
        'image_size',
        'annotation_frames',
        'annotations',
        'num_classes',
        'context',
        'radius',
        'topk',
        'temperature',
    ],
)
def test_propagate(case: Case) -> None:
    config = protocol_of('dul')
    config['context']['num_frames'] = case.context
    config['window']['radius'] = case.radius
    config['select'] = dict(topk=case.topk, temperature=case.temperature)
    protocol = Protocol.from_config(config)
    feats, ids = case.tensor('feats'), list(range(case.num_classes))
    size = (int(case.image_size[0]), int(case.image_size[1]))
    plan = resolve_size(size, align_corners=True)
    for limits in all_limits():
        propagator = LabelPropagator(
            protocol.context, protocol.window, protocol.select, limits=limits
        )
        tracks = np.full(case.num_classes, -1)
        soft = []
        for t, frame in enumerate(feats):
            labels, present = None, None
            if t == 0:
                labels = frame.new_zeros(len(ids), *frame.shape[1:])
            if t in _first_maps(case):
                annotation = _first_maps(case)[t]
                new = [i for i in np.unique(annotation) if tracks[i] < 0]
                tracks[new] = t
                grid = (frame.shape[1], frame.shape[2])
                labels = protocol.label_codec().to_soft(annotation, ids, plan, grid)
                labels = labels.to(frame.device)
                wanted = torch.tensor([i in new for i in ids], device=frame.device)
                labels = labels * wanted[:, None, None]
                present = wanted if t else None
            soft.append(propagator.step(frame, labels, present))
        case.exact('tracks', tracks)
        case.close('soft', torch.stack(soft), atol=1e-4)
        pairs = [upsample_argmax(s, size, protocol.label_codec().decode) for s in soft]
        confidence = torch.stack([value for _, value in pairs])
        case.close('conf_sample', confidence[:, ::4, ::4], atol=1e-4)
        maps = np.stack([protocol.label_codec().to_labels(s, ids, plan) for s in soft])
        sure = case.sure.astype(bool)
        np.testing.assert_array_equal(maps[sure], case.ids[sure])
        case.compared('ids', 'sure')
        if 'validation_ids' in case:
            np.testing.assert_array_equal(maps[sure], case.validation_ids[sure])
            case.compared('validation_ids')
