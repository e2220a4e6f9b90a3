"""CRW: window, context, propagation, decoding, from frames to masks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.propagation.labels import (
    LabelCodec,
    encode_labels,
    floor_nearest,
    stretch,
    upsample_argmax,
)
from densecorr.propagation.propagator import LabelPropagator

from .adapters_propagation import (
    all_limits,
    context_weights,
    crw_context,
    padded_row,
    run_frames,
)
from .replay import Case, replay


@replay('crw', 'radius_mask', inputs=['n_cases', '*_height', '*_width', '*_radius'])
def test_radius_mask(case: Case) -> None:
    for i in range(case.n_cases):
        window = Window('circle', case[f'c{i}_radius'], inclusive=False)
        allowed = window.allowed(case[f'c{i}_height'], case[f'c{i}_width'])
        case.exact(f'c{i}_allowed', allowed)


@replay(
    'crw', 'index_bank', inputs=['n_cases', '*_n_context', '*_long_mem', '*_n_targets']
)
def test_index_bank(case: Case) -> None:
    for i in range(case.n_cases):
        num_context, long_mem = case[f'c{i}_n_context'], case[f'c{i}_long_mem']
        context = crw_context(num_context, [int(m) for m in long_mem])
        rows = case[f'c{i}_indices']
        assert len(rows) == case[f'c{i}_n_targets']
        for t, row in enumerate(rows):
            near, far = padded_row(row, len(long_mem), num_context)
            found = context.entries(t)
            assert {frame: copies[0] for frame, copies in found.items()} == near
            assert {f: copies[1] for f, copies in found.items() if copies[1]} == far
        case.compared(f'c{i}_indices')


@replay(
    'crw',
    'propagate_*',
    inputs=[
        'features',
        'label0',
        'radius',
        'topk',
        'temperature',
        'n_context',
        'long_mem',
        'l2_normalize',
        'norm_mask',
    ],
)
def test_propagate(case: Case) -> None:
    feats, label0 = case.tensor('features'), case.tensor('label0').permute(2, 0, 1)
    context = crw_context(case.n_context, [int(m) for m in case.long_mem])
    window = Window('circle', case.radius, inclusive=False)
    rule = Rule(case.topk, case.temperature)
    for limits in all_limits():
        propagator = LabelPropagator(
            context, window, rule, case.l2_normalize, limits=limits
        )
        soft = run_frames(propagator, feats, label0)  # (t, o, h, w)
        if case.norm_mask:
            soft = torch.stack([stretch(frame, dims=(0,)) for frame in soft])
        case.close('soft', soft.permute(0, 2, 3, 1), atol=1e-5)
    unit = F.normalize(feats, dim=1) if case.l2_normalize else feats
    last = unit.permute(0, 2, 3, 1).contiguous()
    for how in ('reference', 'auto'):
        weights = [
            context_weights(context, window, rule, last, t, how)
            for t in range(len(last))
        ]
        case.close('weights', torch.stack(weights), atol=1e-5)


@replay('crw', 'decode', inputs=['soft', 'colours_bgr', 'image_*', 'annotation_*'])
def test_decode(case: Case) -> None:
    soft = case.tensor('soft').permute(0, 3, 1, 2)  # (t, o, h, w)
    size = (case.image_height, case.image_width)
    pairs = [upsample_argmax(frame, size) for frame in soft]
    channels = torch.stack([channel for channel, _ in pairs]).cpu()
    case.share_equal('class_index', channels.to(torch.uint8), 0.995)
    best = np.take_along_axis(case.upsampled, channels.numpy()[..., None], axis=3)
    values = torch.stack([value for _, value in pairs]).cpu().numpy()
    np.testing.assert_allclose(values, best[..., 0], atol=1e-5)
    single = [[upsample_argmax(c[None], size)[1] for c in frame] for frame in soft]
    maps = torch.stack([torch.stack(frame, dim=-1) for frame in single])
    case.close('upsampled', maps, atol=1e-5)
    colours = case.colours_bgr[channels.numpy()]
    case.share_equal('colour_mask_bgr', colours, 0.995)
    ids = torch.tensor([_davis_index(colour) for colour in case.colours_bgr])
    annotation = (case.annotation_height, case.annotation_width)
    masks = [floor_nearest(ids[frame], annotation) for frame in channels]
    case.share_equal('mask', torch.stack(masks).to(torch.uint8), 0.995)


def _davis_index(colour_bgr: np.ndarray) -> int:
    """Palette index of a colour, 0 for colours that the palette does not have."""
    from densecorr.utils.images import davis_palette

    same = (davis_palette() == colour_bgr[::-1]).all(1).nonzero()[0]
    return int(same[0]) if len(same) else 0


@replay(
    'crw',
    'davis_pipeline',
    inputs=[
        'keys',
        'shapes',
        'legacy_keys',
        'frames',
        'annotation0',
        'crop_size',
        'palette_rgb',
        'topk',
        'radius',
        'temperature',
        'n_context',
    ],
)
def test_davis_pipeline(case: Case) -> None:
    from .pipelines import crw_tracker, crw_video

    trackers = [
        crw_tracker(case, case.state_dict()),
        crw_tracker(case, case.state_dict('legacy_keys', 'keys')),
    ]
    video, ids = crw_video(case), list(range(len(case.palette_rgb)))
    colours = case.palette_rgb[:, ::-1]  # (id, bgr)
    present = [i for i in ids if (case.annotation0 == i).any()]
    order = sorted(present, key=lambda i: tuple(int(v) for v in colours[i]))
    case.exact('colours', colours[order])
    for tracker in trackers:
        image0 = tracker.inputs(case.frames[0])
        case.close('image0', image0[:, :4], atol=1e-5)
        feats = tracker.features(list(case.frames))
        case.exact('feature_shape', list(feats.shape))
        case.close('features', feats[[0, -1], ::8], atol=1e-4)
        grid = tuple(feats.shape[2:])
        label0 = encode_labels(case.annotation0, order, grid)
        case.close('label0', label0.permute(1, 2, 0), atol=1e-6)
        soft = run_frames(tracker.propagator, feats, label0)
        case.close('soft', soft.permute(0, 2, 3, 1), atol=1e-4)
        results = [result.label_map for result in tracker.track(video)]
        case.share_equal('mask', np.stack(results), 0.995)
        saved = [
            LabelCodec().to_labels(s, order, tracker.inputs.plan(*video.size))
            for s in soft
        ]
        case.share_equal('saved_png', colours[np.stack(saved)], 0.995)
