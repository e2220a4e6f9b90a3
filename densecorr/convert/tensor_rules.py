"""Changes of tensors that a new name alone cannot express, and their inverses."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Part(NamedTuple):
    """A tensor and the key or keys of the file that it comes from."""

    tensor: Tensor
    origin: str


Parts = dict[str, Part]
State = dict[str, Tensor]
TensorRule = Callable[[Parts], Parts]
StateRule = Callable[[State], State]

_KERNEL = 'patch_embed.proj.weight'
_IMAGE_SIDE = 224  # pixels of the clips that VideoMAE is trained on
_WAVELENGTH = 10000.0  # of the slowest sine, Vaswani et al., arXiv:1706.03762, 3.5
_QKV = re.compile(r'^(?P<attn>.*\.attn)\.(?P<kind>q|k|v)\.(?P<end>weight|bias)$')


def sum_kernel_over_time(parts: Parts) -> Parts:
    """A video's patch kernel ``(c, 3, t, p, p)`` to ``(c, 3, p, p)``.

    The tokens are those of a clip that shows one frame ``t`` times.
    """
    part = parts.get(_KERNEL)
    if part is None or part.tensor.ndim != 5:
        return parts
    return {**parts, _KERNEL: Part(part.tensor.sum(dim=2), part.origin)}


def fuse_separate_qkv(parts: Parts) -> Parts:
    """``attn.q``, ``attn.k``, ``attn.v`` to ``attn.qkv``: rows in this order."""
    groups: dict[str, dict[str, Part]] = {}
    fused: Parts = {}
    for key, part in parts.items():
        found = _QKV.match(key)
        if found is None:
            fused[key] = part
            continue
        name = f'{found["attn"]}.qkv.{found["end"]}'
        groups.setdefault(name, {})[found['kind']] = part
    for name, group in groups.items():
        lacking = [kind for kind in 'qkv' if kind not in group]
        if lacking:
            missing = [name.replace('.qkv.', f'.{kind}.') for kind in lacking]
            raise ValueError(
                f'The file lacks {missing}, which {name!r} is made of. It is damaged '
                'or not complete: get it again.'
            )
        fused[name] = _join([group[kind] for kind in 'qkv'])
    return fused


def fuse_query_value_bias(parts: Parts) -> Parts:
    """``attn.q_bias`` and ``attn.v_bias`` to ``attn.qkv.bias``; keys have no bias."""
    fused = dict(parts)
    for key in [key for key in parts if key.endswith('.attn.q_bias')]:
        attn = key.removesuffix('.q_bias')
        other = f'{attn}.v_bias'
        if other not in fused:
            raise ValueError(
                f'The file has {parts[key].origin!r} but no {other!r}. It is damaged '
                'or not complete: get it again.'
            )
        query, value = fused.pop(key), fused.pop(other)
        zero = Part(torch.zeros_like(query.tensor), '')
        fused[f'{attn}.qkv.bias'] = _join([query, zero, value])
    return fused


def add_sine_positions(parts: Parts) -> Parts:
    """Add the first time slice of VideoMAE's fixed table, which no file holds.

    ``(1, n, c)``: sines and cosines in turn over the patch's number in raster order,
    for frames of 224 x 224 pixels.
    """
    if 'pos_embed' in parts or _KERNEL not in parts:
        return parts
    width, patch = parts[_KERNEL].tensor.shape[0], parts[_KERNEL].tensor.shape[-1]
    positions = torch.arange((_IMAGE_SIDE // patch) ** 2, dtype=torch.float64)
    exponents = torch.arange(width, dtype=torch.float64).div(2, rounding_mode='floor')
    angles = positions[:, None] / _WAVELENGTH ** (2 * exponents / width)
    table = torch.where(torch.arange(width) % 2 == 0, angles.sin(), angles.cos())
    return {**parts, 'pos_embed': Part(table.float()[None], '(computed)')}


def join_spatial_positions(parts: Parts) -> Parts:
    """MAE-ST's ``pos_embed_class`` and ``pos_embed_spatial`` to one ``pos_embed``."""
    rest = dict(parts)
    tables = [
        rest.pop(key) for key in ('pos_embed_class', 'pos_embed_spatial') if key in rest
    ]
    if not tables:
        return parts
    return {**rest, 'pos_embed': _join(tables, dim=1)}


def split_register_positions(parts: Parts) -> Parts:
    """DINOv2 with registers: the class token's position goes into the class token.

    The table then has patches alone, as timm's. Without registers nothing changes.
    """
    if not {'reg_token', 'cls_token', 'pos_embed'} <= set(parts):
        return parts
    token, table = parts['cls_token'], parts['pos_embed']
    first = table.tensor[:, :1]
    token = Part(token.tensor + first, f'{token.origin} + {table.origin}')
    table = Part(table.tensor[:, 1:], table.origin)
    return {**parts, 'cls_token': token, 'pos_embed': table}


def join_register_positions(state: State) -> State:
    """The inverse: the class token's position is zero."""
    if not {'reg_token', 'cls_token', 'pos_embed'} <= set(state):
        return state
    zero = torch.zeros_like(state['cls_token'])
    return {**state, 'pos_embed': torch.cat([zero, state['pos_embed']], dim=1)}


def split_masked_bias(parts: Parts) -> Parts:
    """DINOv3's ``attn.qkv.bias`` to ``attn.q_bias`` and ``attn.v_bias``.

    The part of the keys is masked out by ``attn.qkv.bias_mask``, or must be zero.
    """
    split = dict(parts)
    for key in [key for key in parts if key.endswith('.attn.qkv.bias')]:
        part = split.pop(key)
        shown = split.pop(f'{key}_mask', None)
        query, keys, value = part.tensor.chunk(3)
        if shown is not None:  # 1 keeps a value, 0 hides it
            keys = torch.where(shown.tensor.chunk(3)[1] == 0, 0.0, keys)
        if keys.count_nonzero():
            raise ValueError(
                f'{part.origin!r} has a bias of the keys that is not zero; DINOv3 has '
                'none. The file is of another model: name its --source.'
            )
        attn = key.removesuffix('.qkv.bias')
        split[f'{attn}.q_bias'] = Part(query, part.origin)
        split[f'{attn}.v_bias'] = Part(value, part.origin)
    return split


def join_masked_bias(state: State) -> State:
    """The inverse; networks without the biases get zeros, as the official files."""
    joined = dict(state)
    for key in [key for key in state if key.endswith('.attn.qkv.weight')]:
        attn = key.removesuffix('.qkv.weight')
        rows = state[key].shape[0] // 3
        zero = state[key].new_zeros(rows)
        query = joined.pop(f'{attn}.q_bias', zero)
        value = joined.pop(f'{attn}.v_bias', zero)
        joined[f'{attn}.qkv.bias'] = torch.cat([query, zero, value])
        joined[f'{attn}.qkv.bias_mask'] = torch.cat([zero + 1, zero, zero + 1])
    return joined


def name_gated_mlp(state: State) -> State:
    """The names of gated MLPs to DINOv2's ``w12``, ``w3`` or DINOv3's ``w3``."""
    named = dict(state)
    for key in [key for key in state if re.search(r'\.mlp\.fc2\.weight$', key)]:
        mlp = key.removesuffix('.fc2.weight')
        first = state.get(f'{mlp}.fc1.weight')
        joint = first is not None and first.shape[0] == 2 * state[key].shape[1]
        if not joint and f'{mlp}.fc1_g.weight' not in state:
            continue
        for end in ('weight', 'bias'):
            for ours, theirs in (('fc1', 'w12'), ('fc2', 'w3')):
                if f'{mlp}.{ours}.{end}' in named:
                    named[f'{mlp}.{theirs}.{end}'] = named.pop(f'{mlp}.{ours}.{end}')
    return named


def _join(parts: list[Part], dim: int = 0) -> Part:
    tensor = torch.cat([part.tensor for part in parts], dim=dim)
    return Part(tensor, ' + '.join(part.origin for part in parts if part.origin))
