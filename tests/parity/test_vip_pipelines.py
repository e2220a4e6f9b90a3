"""Input of the protocols for parts: resized frames and label maps, and what follows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.frames import FrameInput
from densecorr.propagation.labels import nearest_labels
from densecorr.propagation.tracker import VideoTracker

from .adapters_propagation import run_frames
from .pipelines import crw_tracker, memory_video, model_of, protocol_of
from .replay import DEVICE, Case, replay

CRW_INPUTS = [
    'keys',
    'shapes',
    'legacy_keys',
    'frames',
    'annotation0',
    'crop_size',
    'topk',
    'radius',
    'temperature',
    'n_context',
]


def input_maps(tracker: VideoTracker, soft: Tensor, ids: list[int]) -> np.ndarray:
    """``(T, H, W)`` label maps of soft labels at the size of the input."""
    height, width = tracker.inputs.plan(1, 1).input_size
    plan, codec = resolve_size((height, width)), tracker.protocol.label_codec()
    return np.stack([codec.to_labels(frame.cpu(), ids, plan) for frame in soft])


@replay('crw', 'resized_pipeline', inputs=CRW_INPUTS)
def test_crw_resized_pipeline(case: Case) -> None:
    video = memory_video(case.frames, case.annotation0)
    for state in (case.state_dict(), case.state_dict('legacy_keys', 'keys')):
        tracker = crw_tracker(case, state, 'vip', label_resize='bilinear')
        plan, codec = tracker.inputs.plan(*video.size), tracker.protocol.label_codec()
        ids = np.unique(codec.seen(case.annotation0, plan)).tolist()
        assert len(ids) > len(np.unique(case.annotation0))  # the bug invents labels
        grey = np.repeat(np.array(ids)[:, None], 3, axis=1)
        case.exact('colours', grey)
        image0 = tracker.inputs(case.frames[0])
        case.close('image0', image0[:, :4], atol=1e-5)
        feats = tracker.features(list(case.frames))
        case.exact('feature_shape', list(feats.shape))
        case.close('features', feats[[0, -1], ::8], atol=1e-4)
        label0 = codec.to_soft(case.annotation0, ids, plan, tuple(feats.shape[2:]))
        case.close('label0', label0.permute(1, 2, 0), atol=1e-6)
        soft = run_frames(tracker.propagator, feats, label0.to(DEVICE))
        case.close('soft', soft.permute(0, 2, 3, 1), atol=1e-4)
        maps = input_maps(tracker, soft, ids)
        case.share_equal('saved_png', np.repeat(maps[..., None], 3, axis=3), 0.995)
        results = [result.label_map for result in tracker.track(video)]
        expected = [nearest_labels(label_map, video.size) for label_map in maps]
        np.testing.assert_array_equal(np.stack(results), np.stack(expected))
    nearest = crw_tracker(case, case.state_dict(), 'vip')  # the default invents none
    found = {int(n) for r in nearest.track(video) for n in np.unique(r.label_map)}
    assert found <= set(np.unique(case.annotation0).tolist())


@replay(
    'spa_then_temp',
    'pipelines',
    inputs=[
        'frames',
        'test_short',
        'test_seg',
        # the half about training is replayed in test_spa_then_temp_training.py
        'crop_box',
        'size',
        'imgs_flip*',
        'images_lab_flip*',
        'draw_*',
    ],
)
def test_spa_then_temp_test_pipeline(case: Case) -> None:
    protocol = protocol_of('spa_then_temp')
    size = {**protocol['size'], 'short_side': case.test_short}
    inputs = FrameInput(
        **model_of('res18_d8')['inputs'], size=size, resizer=protocol['resizer']
    )
    images = torch.stack([inputs(frame) for frame in case.frames], dim=1)
    case.close('test_imgs', images[None], atol=1e-5)  # (1, c, t, h, w)
    plan = inputs.plan(*case.test_seg.shape)
    resized = nearest_labels(case.test_seg, plan.resized_size)
    case.exact('test_seg_resized', resized)


@pytest.mark.parametrize('name', ['crw', 'spa_then_temp', 'vfs'])
def test_parts_are_tracked_on_a_square(name: str) -> None:
    protocol = protocol_of(name, 'vip')
    plan = resolve_size((480, 854), **protocol['size'], multiple=8)
    assert plan.resized_size == plan.input_size == (560, 560)
