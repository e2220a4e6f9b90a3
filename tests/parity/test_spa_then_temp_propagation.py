"""Spa-then-Temp: masks, masked attention, decoding and the whole tracker."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F

from densecorr.ops.keys import Keys
from densecorr.ops.propagate import propagate, propagate_reference
from densecorr.ops.selection import Rule
from densecorr.ops.size_policy import SizePlan
from densecorr.ops.window import Window
from densecorr.propagation.labels import LabelCodec, encode_labels, nearest_labels

from .adapters_propagation import all_limits, replay_vanilla_tracker
from .replay import Case, replay


def _window(mode: str, neighbor_range: int) -> Window:
    if mode == 'none':
        return Window()
    return Window(mode, neighbor_range // 2, inclusive=mode == 'square')


@replay(
    'spa_then_temp',
    'neighbourhood_masks',
    inputs=['count', 'size_*', 'range_*', 'mode_*', 'train_mask_size', '*_radius'],
)
def test_neighbourhood_masks(case: Case) -> None:
    for n in range(case.count):
        h, w = (int(side) for side in case[f'size_{n}'])
        window = _window(str(case[f'mode_{n}']), int(case[f'range_{n}']))
        case.exact(f'mask_{n}', window.allowed(h, w))
    window = Window('square', case.train_mask_radius, inclusive=True)
    side = case.train_mask_size
    case.exact('train_mask', window.allowed(side, side))


@replay(
    'spa_then_temp',
    'masked_attention',
    inputs=[
        'query',
        'key',
        'value',
        'query_other_size',
        'names',
        'mode_*',
        'range_*',
        'topk_*',
        'temperature_*',
        'normalize_*',
        'non_mask_len_*',
        'affinity_*',
    ],
)
def test_masked_attention(case: Case) -> None:
    value = case.tensor('value')[0].transpose(0, 1)  # (t, o, h, w)
    labels = value.flatten(2).transpose(1, 2).flatten(0, 1).contiguous()
    for name in (str(n) for n in case.names):
        other = name == 'other_query_size'
        query = case.tensor('query_other_size' if other else 'query')[0]
        key = case.tensor('key')[0].transpose(0, 1)  # (t, c, h, w)
        if case[f'normalize_{name}']:
            query, key = F.normalize(query, dim=0), F.normalize(key, dim=1)
        frames, topk = len(key), int(case[f'topk_{name}'])
        window = _window(str(case[f'mode_{name}']), int(case[f'range_{name}']))
        free = int(case[f'non_mask_len_{name}'])
        far = tuple(int(t < free or window.shape == 'none') for t in range(frames))
        keys = Keys(key.permute(0, 2, 3, 1).contiguous(), (1,) * frames, far)
        softmax = str(case[f'affinity_{name}']) == 'softmax'
        rule = Rule(
            topk if topk > 0 else None,
            float(case[f'temperature_{name}']),
            weighting='softmax' if softmax else 'relu_squared',
        )
        unit = query.permute(1, 2, 0).contiguous()  # (h, w, c)
        expected = propagate_reference(unit, keys, labels, window, rule)
        grid = unit.shape[:2]
        out = expected.t().unflatten(1, grid)[None]
        case.close(f'out_{name}', out, atol=1e-5)
        for limits in all_limits():
            found = propagate(
                unit,
                keys,
                labels,
                window,
                rule,
                max_memory=limits.max_memory,
                method=limits.method,
                precision=limits.precision,
            )
            out = found.labels.permute(2, 0, 1)[None]
            case.close(f'out_{name}', out, atol=1e-5)


@replay(
    'spa_then_temp',
    'davis_decode',
    inputs=['logits', 'original_shape', 'ref_seg_map', 'feat_size'],
)
def test_davis_decode(case: Case) -> None:
    codec = LabelCodec(
        encode='nearest', stretch='channel', first_output='resized', decode='bilinear'
    )
    original = (int(case.original_shape[0]), int(case.original_shape[1]))
    plan = SizePlan(original, case.ref_seg_map.shape, case.ref_seg_map.shape)
    logits = case.tensor('logits')
    ids = list(range(logits.shape[1]))
    labels = [codec.to_labels(maps, ids, plan) for maps in logits]
    case.share_equal('labels', np.stack(labels), 0.999)
    grid = (int(case.feat_size[0]), int(case.feat_size[1]))
    small = nearest_labels(case.ref_seg_map, grid)
    case.exact('frame0_small', small)
    kept = list(range(len(case.frame0_one_hot)))
    one_hot = encode_labels(case.ref_seg_map, kept, grid, 'nearest')
    case.exact('frame0_one_hot', one_hot)
    frame0 = codec.first_labels(case.ref_seg_map, one_hot, kept, plan)
    case.exact('frame0_label', frame0)


@replay(
    'spa_then_temp',
    'vanilla_tracker',
    inputs=[
        'imgs',
        'ref_seg_map',
        'original_shape',
        'keys',
        'shapes',
        'mode_*',
        'with_first_*',
        'precede_frames_*',
        'names',
        'topk',
        'temperature',
        'neighbor_range',
        'strides',
        'pool',
        'out_index',
    ],
)
def test_vanilla_tracker(case: Case) -> None:
    for name in (str(n) for n in case.names):
        replay_vanilla_tracker(
            case,
            suffix=f'_{name}',
            with_first=bool(case[f'with_first_{name}']),
            first_windowed=bool(case[f'with_first_neighbor_{name}']),
            source='spa_then_temp',
        )
