"""A protocol, told in sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from densecorr.ops.selection import Rule
from densecorr.ops.window import Window
from densecorr.propagation.context import Context
from densecorr.propagation.joints import JointCodec
from densecorr.propagation.labels import LabelCodec
from densecorr.propagation.protocol import Protocol

_TRACKED = {'context', 'select', 'window'}  # parts of protocols that track videos
_RESIZERS = {
    'opencv': 'OpenCV, bilinear',
    'pillow': 'Pillow, bilinear with antialiasing',
    'torch': 'torch, bilinear with half-pixel centres',
    'torch_align_corners': 'torch, bilinear with corners aligned',
}
_ENCODE = {
    'bilinear': 'Every object becomes a map of 0 and 1 that is shrunk to the feature '
    'grid, bilinear with half-pixel centres.',
    'bilinear_align_corners': 'Every object becomes a map of 0 and 1 that is shrunk to '
    'the feature grid, bilinear with corners aligned.',
    'nearest': 'The label map is shrunk to the feature grid by nearest neighbour: a '
    'cell has one label.',
}
_DECODE = {
    'bilinear': 'bilinear with half-pixel centres',
    'bilinear_align_corners': 'bilinear with corners aligned',
    'nearest': 'by nearest neighbour',
}
_STRETCH = {
    'none': '',
    'channel': ' The map of every object is stretched to 0..1 first.',
    'pixel': ' The values of every cell are stretched to 0..1 over the objects first.',
}
_FIRST_OUTPUT = {
    'given': 'For the first frame the given labels are written as they are.',
    'decoded': 'For the first frame the given labels are written as they come back '
    'from the feature grid.',
    'resized': 'For the first frame the given labels are written after resizing to the '
    "network's input and back.",
}


def protocol_words(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headings and sentences about the protocol of a run.

    Args:
        content: of ``metrics.json``; the protocol is in its fingerprint.

    Returns:
        empty where the content says nothing about a protocol. A protocol of other
        keys than ours is listed as it stands.
    """
    summary = content.get('protocol') or {}
    fingerprint = content.get('fingerprint') or {}
    whole = fingerprint.get('protocol') or {}
    part = whole.get(fingerprint.get('task', content.get('task')))
    lines = [('Name', _name(summary))] if summary else []
    if not isinstance(part, Mapping):
        return lines
    if 'metric' in part and not _TRACKED & set(part):
        return [*lines, *_metric_words(part)]
    try:
        protocol = Protocol.from_config(part)
    except (KeyError, ValueError, TypeError):
        return [*lines, *((str(key), str(value)) for key, value in part.items())]
    return [
        *lines,
        ('Frames', _data(content) + _frames(protocol)),
        ('Context', context_words(protocol.context)),
        ('Window', window_words(protocol.window, protocol.context)),
        ('Affinity', _affinity(protocol)),
        *_codec_words(protocol),
    ]


def _metric_words(part: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of a protocol of single images: how they are resized, and the metric's numbers.

    A setting of parts is a line of its own.
    """
    words = []
    for key, value in part.items():
        inner = value if key == 'metric' else {key: value}
        words += [(name, _setting(setting)) for name, setting in inner.items()]
    return words


def _setting(value: Any) -> str:
    text = json.dumps(value).replace('"', '')
    return text[1:-1] if isinstance(value, Mapping) else text


def _codec_words(protocol: Protocol) -> list[tuple[str, str]]:
    if protocol.joints is not None:
        return [
            ('Joints in', _joints_in(protocol.joints)),
            ('Joints out', _joints_out(protocol.joints)),
        ]
    labels = protocol.label_codec()
    return [
        ('Labels in', _labels_in(labels, protocol.hard)),
        ('Labels out', _labels_out(labels)),
    ]


def context_words(context: Context) -> str:
    """Which frames a frame looks into."""
    number = context.num_frames
    recent = f'the {number} frames before it' if number > 1 else 'the frame before it'
    if number == 0:
        text = 'A frame looks into the first frame only'
    elif context.first == 'none':
        text = f'A frame looks into {recent}'
    else:
        text = f'A frame looks into the first frame and {recent}'
    text += '.'
    if number and context.repeat_first:
        text += ' While fewer have passed, copies of the first frame fill their places.'
    elif number:
        text += ' At the start of a video there are fewer.'
    if number and not context.recent_first:
        text += ' The first frame is never counted twice.'
    if context.long_memory:
        text += f' Long memory: {", ".join(map(str, context.long_memory))}.'
    return text


def window_words(window: Window, context: Context) -> str:
    """Which cells of a context frame count."""
    if window.shape == 'none':
        return 'None: every cell of a context frame may vote.'
    radius = f'{window.radius:g}'
    if window.shape == 'square':
        limit = f'at most {radius}' if window.inclusive else f'less than {radius}'
        text = f'Square: cells {limit} rows and columns away'
    else:
        limit = f'at most {radius}' if window.inclusive else f'less than {radius}'
        text = f'Circle: cells {limit} cells away, by Euclidean distance'
    rule = 'inclusive' if window.inclusive else 'exclusive'
    text += f' (radius {radius}, {rule}, in cells of the feature grid).'
    if context.first == 'global' or context.long_memory:
        text += ' The first frame is also searched without the window.'
    return text


def _name(summary: Mapping[str, Any]) -> str:
    text = f'{summary.get("name", "unnamed")}'
    if summary.get('revision') is not None:
        text += f', revision {summary["revision"]}'
    if summary.get('verified') is False:
        text += ', unverified'
    stride, published = summary.get('stride'), summary.get('published_stride')
    if stride is None:
        return f'{text}.'
    text += f'. One cell of the feature grid is {stride} pixels of the network input'
    finer = summary.get('label_stride')
    if finer is not None:
        text += f', resized to cells of {finer} pixels for the labels'
    if published is None or published == stride:
        return f'{text}, as published.' if published else f'{text}.'
    return f'{text}; the protocol was published at {published}.'


def _data(content: Mapping[str, Any]) -> str:
    resized = (content.get('dataset') or {}).get('resized')
    if not resized:
        return ''
    return (
        f'Frames and labels are resized to {resized[0]} x {resized[1]} by nearest '
        'neighbour before all else. '
    )


def _frames(protocol: Protocol) -> str:
    size = dict(protocol.size)
    text = f'Read with {"OpenCV" if protocol.reader == "opencv" else "Pillow"}. '
    if 'short_side' in size:
        text += f'The short side is resized to {size["short_side"]} pixels'
    elif 'fixed' in size:
        height, width = size['fixed']
        text += f'Resized to {height} x {width} pixels (height x width)'
    else:
        text += 'Frames keep their size'
    multiple = size.get('long_multiple')
    if multiple:
        text += f', the long side to a multiple of {multiple}'
    rounding = size.get('rounding')
    if rounding == 'pad':
        text += ', sides that do not fit the network are padded'
    elif rounding and not multiple:
        text += f', sides that do not fit the network are rounded ({rounding})'
    return f'{text} ({_RESIZERS[protocol.resizer]}).'


def _affinity(protocol: Protocol) -> str:
    rule: Rule = protocol.select
    product = 'Dot product of features'
    product += ' of length 1' if protocol.normalize else ', not normalised'
    if rule.topk is None:
        chosen = 'All cells vote'
    else:
        chosen = (
            f'The {rule.topk} cells that match best, of all context frames together'
        )
        chosen += ', vote'
        if rule.ties == 'all':
            chosen += ' (with all that equal the last of them)'
    if rule.weighting == 'softmax':
        weights = f'weights: softmax at temperature {rule.temperature:g}'
    else:
        weights = 'weights: the square of the affinity, 0 where it is negative'
    return f'{product}. {chosen}; {weights}.'


def _joints_in(joints: JointCodec) -> str:
    if joints.draw == 'grid':
        text = f'Every joint is a Gaussian of sigma {joints.sigma:g} cells on the grid.'
    else:
        text = (
            f'Every joint is a Gaussian of sigma {joints.sigma:g} pixels in the frame; '
            "the map is shrunk to the network's input and then to the feature grid, "
            'bilinear both times.'
        )
    if joints.background:
        text += ' One more map is 1 where there is no joint.'
    return text


def _joints_out(joints: JointCodec) -> str:
    place = 'cells of the feature grid'
    text = ''
    if joints.decode == 'image':
        place = 'pixels'
        text = 'Soft maps are enlarged to the frame, bilinear with half-pixel centres. '
    text += (
        f'A joint is the mean of the {joints.topk} largest {place} of its map, '
        'weighted by their values; it is lost where the map is empty.'
    )
    if joints.first_output == 'resized':
        text += (
            ' For the first frame the drawn maps are taken as they are at the input '
            'of the network.'
        )
    return text


def _labels_in(labels: LabelCodec, hard: bool) -> str:
    text = _ENCODE[labels.encode]
    if labels.label_resize == 'bilinear':
        text = (
            "Label numbers are resized to the network's input by bilinear "
            f'interpolation, which invents labels where two meet. {text}'
        )
    if hard:
        text += ' The labels that a frame got are passed on as hard labels.'
    else:
        text += ' The labels that a frame got are passed on as soft labels.'
    return text


def _labels_out(labels: LabelCodec) -> str:
    text = f'Soft labels are enlarged, {_DECODE[labels.decode]}, '
    if labels.decode_size == 'image':
        text += 'to the size of the frame, and the largest wins.'
    else:
        text += (
            "to the size of the network's input, the largest wins, and the label map "
            'is resized to the frame by nearest neighbour.'
        )
    return f'{text}{_STRETCH[labels.stretch]} {_FIRST_OUTPUT[labels.first_output]}'
