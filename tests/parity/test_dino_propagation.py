"""DINO: neighbourhood, one step, normalised masks, a whole clip."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from densecorr.ops.keys import Keys
from densecorr.ops.propagate import propagate, propagate_reference
from densecorr.ops.selection import Rule
from densecorr.ops.size_policy import resolve_size
from densecorr.ops.window import Window
from densecorr.propagation.labels import encode_labels, stretch
from densecorr.propagation.propagator import LabelPropagator
from densecorr.propagation.protocol import Protocol

from .adapters_propagation import all_limits, run_frames
from .pipelines import protocol_of
from .replay import Case, replay


def _window(radius: int) -> Window:
    return Window('square', radius, inclusive=True) if radius else Window()


@replay('dino', 'neighbourhood', inputs=['*_hwr'])
def test_neighbourhood(case: Case) -> None:
    for name in [key for key in case.arrays if key.endswith('_hwr')]:
        h, w, radius = (int(n) for n in case[name])
        allowed = _window(radius).allowed(h, w)
        case.exact(name.replace('_hwr', '_mask'), allowed)


@replay(
    'dino',
    'propagation_step',
    inputs=[
        'num_steps',
        'temperature',
        '*_feat_target',
        '*_feat_sources',
        '*_segs',
        '*_radius',
        '*_topk',
    ],
)
def test_propagation_step(case: Case) -> None:
    for i in range(case.num_steps):
        segs = case.tensor(f's{i}_segs')  # (m, o, h, w)
        m, o, h, w = segs.shape
        sources = case.tensor(f's{i}_feat_sources')  # (m, c, h * w)
        feats = F.normalize(sources, dim=1).transpose(1, 2).unflatten(1, (h, w))
        query = F.normalize(case.tensor(f's{i}_feat_target'), dim=1).unflatten(
            0, (h, w)
        )
        labels = segs.flatten(2).transpose(1, 2).reshape(m * h * w, o).contiguous()
        radius, window = case[f's{i}_radius'], _window(case[f's{i}_radius'])
        far = (0,) * m if radius else (1,) * m
        keys = Keys(feats.contiguous(), (1,) * m, far)
        rule = Rule(case[f's{i}_topk'], case.temperature, ties='all')
        expected = propagate_reference(query, keys, labels, window, rule)
        case.close(f's{i}_seg_target', expected.t().unflatten(1, (h, w)), atol=1e-5)
        for limits in all_limits():
            out = propagate(
                query,
                keys,
                labels,
                window,
                rule,
                max_memory=limits.max_memory,
                method=limits.method,
                precision=limits.precision,
            )
            found = out.labels.permute(2, 0, 1)
            case.close(f's{i}_seg_target', found, atol=1e-5)


@replay('dino', 'norm_mask', inputs=['maps'])
def test_norm_mask(case: Case) -> None:
    stretched = stretch(case.tensor('maps')).cpu()
    constant = [c for c, m in enumerate(case.maps) if m.min() == m.max() != 0]
    usual = [c for c in range(len(case.maps)) if c not in constant]
    np.testing.assert_array_equal(stretched[usual].numpy(), case.normalised[usual])
    assert constant and np.isnan(case.normalised[constant]).all()
    assert not stretched[constant].any()  # the official 0 / 0 is guarded
    case.compared('normalised')


@replay(
    'dino',
    'video',
    inputs=[
        'features',
        'grid',
        'first_mask',
        'patch_size',
        'n_last_frames',
        'radius',
        'topk',
        'temperature',
        'short_side',
    ],
)
def test_video(case: Case) -> None:
    config = protocol_of('dino')
    config['context']['num_frames'] = case.n_last_frames
    config['window']['radius'] = case.radius
    config['select'].update(topk=case.topk, temperature=case.temperature)
    config['size']['short_side'] = case.short_side
    protocol = Protocol.from_config(config)
    height, width = case.first_mask.shape
    plan = resolve_size((height, width), **config['size'], multiple=case.patch_size)
    h, w = (int(n) for n in case.grid)
    assert plan.input_size == (h * case.patch_size, w * case.patch_size)
    ids = list(range(int(case.first_mask.max()) + 1))
    first = protocol.label_codec().to_soft(case.first_mask, ids, plan, (h, w))
    case.exact('first_seg', first[: len(case.first_seg)])
    assert not first[len(case.first_seg) :].any()
    feats = case.tensor('features').transpose(1, 2).unflatten(2, (h, w))
    for limits in all_limits():
        propagator = LabelPropagator(
            protocol.context, protocol.window, protocol.select, limits=limits
        )
        soft = run_frames(propagator, feats, first)
        case.close('soft', soft[1:, : case.soft.shape[1]], atol=1e-5)
    enlarged = F.interpolate(
        soft[1][None], plan.input_size, mode='bilinear', align_corners=False
    )
    decoded = stretch(enlarged[0])[: len(case.decoded_first)]
    case.close('decoded_first', decoded, atol=1e-5)
    maps = [protocol.label_codec().first_labels(case.first_mask, first, ids, plan)]
    maps += [protocol.label_codec().to_labels(frame, ids, plan) for frame in soft[1:]]
    case.share_equal('masks', np.stack(maps), 0.999)


def test_label_grids_of_preprocessing_equal_pillows_nearest() -> None:
    """Half-pixel nearest: an object smaller than a cell can vanish, none can grow."""
    label_map = np.zeros((32, 48), np.uint8)
    label_map[8, 8] = 1  # the pixel under the centre of cell (0, 0)
    label_map[0, 17] = 2  # under no centre
    soft = encode_labels(label_map, [0, 1, 2], (2, 3), 'nearest')
    assert torch.equal(soft[1], torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
    assert not soft[2].any()
