"""A protocol and a model in words and numbers, without any weights or frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from densecorr.apis.config import protocol_part, resolve, tracker_config
from densecorr.apis.costs import backbone_flops
from densecorr.apis.dry_run import feature_flops, frames_of, window_scores
from densecorr.apis.evaluate import describe_protocol
from densecorr.apis.report.words import protocol_words
from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.propagation.context import Context
from densecorr.registry import MODELS

_FRAME = (480, 854)  # most frames of DAVIS
_FRAMES_OF = {'jhmdb': (240, 320)}
_GIGA = 1e9
_COLUMN = 12  # letters of a heading

Lines = list[tuple[str, str]]


def explain(
    config: str | Path,
    task: str,
    protocol: str | None = None,
    options: Mapping[str, Any] | None = None,
    frame_size: tuple[int, int] | None = None,
) -> str:
    """What is computed for a frame of a task, as text.

    Args:
        config: config file.
        task: a task of the config.
        protocol: name or file of a protocol that replaces the config's.
        options: changes of the config by dotted key.
        frame_size: (H, W) of an example frame; that of DAVIS or JHMDB by default.
    """
    cfg = resolve(config, task, protocol, options)
    with torch.device('meta'):
        tracker: Any = MODELS.build(tracker_config(cfg)).eval()
    size = frame_size or _FRAMES_OF.get(cfg.task, _FRAME)
    facts = describe_protocol(cfg, tracker.backbone.stride)
    part = dict(task=cfg.task, protocol={cfg.task: protocol_part(cfg)})
    data = dict(resized=cfg.test_dataset.get('resize'))
    words = protocol_words(
        dict(task=cfg.task, protocol=facts, dataset=data, fingerprint=part)
    )
    if not hasattr(tracker, 'protocol'):  # it tracks no video
        chapters = [
            ('protocol', _names(cfg, facts)),
            ('sizes', _image_sizes(tracker, size)),
            ('settings', [(name, text) for name, text in words if name != 'Name']),
        ]
        return '\n\n'.join(_chapter(*chapter) for chapter in chapters)
    flops, (channels, h, w) = feature_flops(tracker, data_size(cfg, size))
    chapters = [
        ('protocol', _names(cfg, facts)),
        ('sizes', _sizes(cfg, tracker, size, (h, w))),
        ('formula', _formula(tracker.protocol)),
        ('numbers', _numbers(tracker.protocol, (channels, h, w), flops)),
        ('in words', words),
    ]
    return '\n\n'.join(_chapter(*chapter) for chapter in chapters)


def data_size(cfg: Config, size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) at which the dataset of a resolved config gives a frame of ``size``."""
    resize = cfg.test_dataset.get('resize')
    return (int(resize[0]), int(resize[1])) if resize else size


def _chapter(title: str, lines: Lines) -> str:
    width = max(_COLUMN, *(len(name) + 2 for name, _ in lines))
    rows = [f'  {name:<{width}}{text}' for name, text in lines]
    return '\n'.join([title.upper(), *rows])


def _names(cfg: Config, facts: Mapping[str, Any]) -> Lines:
    proof = 'verified: recorded outputs of its official code are replayed in the tests'
    state = proof if facts['verified'] else 'UNVERIFIED: no recorded output proves it'
    lines = [
        ('name', f'{facts["name"]}, revision {facts["revision"]}, part {cfg.task}'),
        ('source', str(cfg.protocol.get('source', 'not said'))),
        ('state', state),
    ]
    stride, published = facts['stride'], facts['published_stride']
    same = 'as published' if stride == published else f'published at {published}'
    lines.append(('stride', f'{stride} of the network, {same}'))
    return [*lines, *((('differs', facts['note']),) if facts['note'] else ())]


def _sizes(
    cfg: Config, tracker: Any, frame: tuple[int, int], grid: tuple[int, int]
) -> Lines:
    image = data_size(cfg, frame)
    plan = tracker.inputs.plan(*image)
    seen = tracker.seen_size(plan.input_size)
    lines = [('frame', _size(frame))]
    if image != frame:
        lines.append(('data', f'{_size(image)}: frames and labels are resized'))
    lines.append(('input', _size(plan.input_size)))
    if any(plan.pad):
        lines.append(('padded', f'{plan.pad[0]} rows, {plan.pad[1]} columns of it'))
    if seen != plan.input_size:
        lines.append(('network', f'{_size(seen)} of it, the rest is cut off'))
    cells = grid[0] * grid[1]
    side = tracker.grid_stride
    text = f'{_size(grid)} = {cells} cells of {side} x {side} pixels of the input'
    if tracker.label_grid(plan.input_size) is not None:
        text += f'; features of stride {tracker.backbone.stride} are resized to it'
    return [*lines, ('grid', text)]


def _image_sizes(model: Any, frame: tuple[int, int]) -> Lines:
    """Of a model that sees single images."""
    seen = model.input_size(*frame)
    flops, (channels, h, w) = backbone_flops(model.backbone, seen)
    return [
        ('input', _size(seen)),
        ('grid', f'{_size((h, w))} = {h * w} cells of {channels} channels'),
        ('features', f'{flops / _GIGA:.1f} GFLOP an image'),
    ]


def _formula(protocol: Any) -> Lines:
    rule: Rule = protocol.select
    feature = 'f / |f|' if protocol.normalize else 'f'
    chosen = 'all allowed m'
    if rule.topk is not None:
        chosen = f'the {rule.topk} allowed m of the largest a, over all frames together'
        chosen += ', and all ties' if rule.ties == 'all' else ''
    weight = f'exp(a(q, m) / {rule.temperature:g}) / sum over S(q) of the same'
    if rule.weighting != 'softmax':
        weight = f'max(a(q, m) / {rule.temperature:g}, 0) ** 2'
    kept = 'the label that is the largest' if protocol.hard else 'soft, as they are'
    return [
        ('affinity', f'a(q, m) = <u(q), u(m)>, u = {feature}; q query, m key'),
        ('allowed', _allowed(protocol.window, protocol.context)),
        ('S(q)', chosen),
        ('w(q, m)', weight),
        ('label(q)', 'sum over S(q) of w(q, m) * label(m)'),
        ('kept', f'labels of a frame for later ones: {kept}'),
    ]


def _allowed(window: Window, context: Context) -> str:
    sign = '<=' if window.inclusive else '<'
    distance = 'sqrt(dy^2 + dx^2)' if window.shape == 'circle' else 'max(|dy|, |dx|)'
    text = f'{distance} {sign} {window.radius:g} cells'
    if window.shape == 'none':
        return 'every m'
    if context.first == 'global':
        text += '; every m of the first frame'
    return text


def _numbers(protocol: Any, shape: tuple[int, int, int], flops: float) -> Lines:
    context, window = protocol.context, protocol.window
    channels, h, w = shape
    # the first frame whose context is complete
    late = context.num_frames + max(context.long_memory, default=0) + 1
    near, far = frames_of(context, late)
    cells, inside = h * w, window_scores(window, (h, w)) / (h * w)
    keys = near * inside + far * (cells - inside)
    scores = 2.0 * channels * keys * cells
    lines = [
        ('frames', f'{near} that a frame looks into, from frame {late} on'),
        (
            'window',
            f'{_full_window(window, (h, w))} cells, {inside:.1f} on average',
        ),
        ('keys', f'{keys:.0f} per query on average'),
    ]
    if far and window.shape != 'none':
        lines[-1] = ('keys', f'{lines[-1][1]}, {cells} of them in the first frame')
    if context.repeat_first:
        lines.append(
            (
                'copies',
                f'in frame 1 the first frame stands there {_copies(context)} times',
            )
        )
    return [
        *lines,
        ('features', f'{flops / _GIGA:.1f} GFLOP per frame, {channels} channels'),
        ('propagation', f'{scores / _GIGA:.2f} GFLOP per frame inside the window'),
    ]


def _copies(context: Context) -> int:
    return sum(near for near, _ in context.entries(1).values())


def _full_window(window: Window, grid: tuple[int, int]) -> int:
    """Cells of a window that does not reach the border, as far as the grid goes."""
    h, w = grid
    dy = torch.arange(1 - h, h)[:, None]
    dx = torch.arange(1 - w, w)[None]
    return min(int(window.contains(dy, dx).sum()), h * w)


def _size(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'
