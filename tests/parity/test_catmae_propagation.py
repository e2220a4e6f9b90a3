"""CatMAE: frames of 480 x 880 to label maps."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from densecorr.propagation.labels import encode_labels
from densecorr.registry import MODELS

from .adapters_propagation import crw_context, run_frames
from .pipelines import load_golden, memory_video, model_of, protocol_of
from .replay import DEVICE, Case, replay
from .test_catmae_backbones import weights_of


@pytest.mark.slow
@replay(
    'catmae',
    'davis_*',
    inputs=[
        *('keys', 'shapes', 'sincos_keys', 'frames_over_8', 'annotation0_over_8'),
        *('palette_rgb', 'patch_size', 'temperature', 'topk', 'radius'),
        *('n_context', 'long_mem', 'mean', 'std'),
    ],
)
def test_davis(case: Case) -> None:
    protocol, model = protocol_of('catmae_s16'), model_of('catmae_vits16')
    context = asdict(crw_context(case.n_context, [int(m) for m in case.long_mem]))
    protocol['context'] = context
    protocol['window']['radius'] = case.radius
    protocol['select'] = dict(topk=case.topk, temperature=float(case.temperature))
    model['inputs'].update(mean=case.mean.tolist(), std=case.std.tolist())
    tracker = MODELS.build({**model, 'protocol': protocol}).eval().to(DEVICE)
    assert tracker.backbone.stride == case.patch_size
    load_golden(tracker.backbone, dict(model=weights_of(case)), 'cropmae')
    frames, first = (
        array.repeat(8, axis).repeat(8, axis + 1)
        for array, axis in ((case.frames_over_8, 1), (case.annotation0_over_8, 0))
    )
    video = memory_video(frames, first)
    ids = sorted(np.unique(first), key=lambda i: tuple(case.palette_rgb[i][::-1]))
    feats = tracker.frame_features(video, range(len(frames)))
    label0 = encode_labels(first, [int(i) for i in ids], tuple(feats.shape[2:]))
    soft = run_frames(tracker.propagator, feats, label0)
    case.close('soft', soft.permute(0, 2, 3, 1), atol=1e-4)
    results = [result.label_map for result in tracker.track(video)]
    case.share_equal('mask', np.stack(results), 0.998)
