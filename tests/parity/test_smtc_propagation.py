"""SMTC: sizes, labels and propagation at stride 16, and at stride 8 on a finer grid."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from densecorr.ops.size_policy import resolve_size
from densecorr.propagation.context import Context
from densecorr.propagation.frames import FrameInput, resize_maps
from densecorr.propagation.labels import encode_labels
from densecorr.propagation.tracker import VideoTracker
from densecorr.registry import MODELS

from .adapters_propagation import run_frames
from .pipelines import memory_video, model_of, protocol_of
from .replay import DEVICE, Case, replay

PATCH = 16  # of the network


@MODELS.register_module(force=True)
class RecordedFeatures(nn.Module):
    """Returns what was recorded, and keeps the size of what it was given."""

    any_size, stride, channels = False, PATCH, (0,)
    recorded: Tensor
    seen: tuple[int, int]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        self.seen = (images.shape[-2], images.shape[-1])
        return (self.recorded,)


def tracker_of(stride: int, **changes: Any) -> VideoTracker:
    """SMTC's tracker of a stride, without its network."""
    protocol = protocol_of(f'smtc_s{stride}')
    for part, values in changes.items():
        protocol[part].update(values)
    model = {**model_of('smtc_vits16'), 'protocol': protocol}
    model['backbone'] = dict(type='RecordedFeatures')
    return MODELS.build(model).to(DEVICE)


def indexed(case: Case, *names: str) -> list[tuple[Any, ...]]:
    """Values of ``name_0``, ``name_1``... of every name."""
    count = sum(key.startswith(f'{names[0]}_') for key in case.arrays)
    return [tuple(case[f'{name}_{i}'] for name in names) for i in range(count)]


@replay('smtc', 'eval_resize', inputs=['images_*', 'stride_*'])
def test_eval_resize(case: Case) -> None:
    rows = indexed(case, 'images', 'stride')
    assert rows
    for i, (images, stride) in enumerate(rows):
        inputs = tracker_of(stride).inputs
        size = inputs.plan(*images.shape[2:]).input_size
        assert inputs.resizer == 'torch'
        case.close(
            f'resized_{i}', resize_maps(case.tensor(f'images_{i}'), size), atol=1e-5
        )


@replay(
    'smtc',
    'label_io',
    inputs=['frames_rgb_*', 'annotation_rgb_*', 'stride_*', 'context_*'],
)
def test_label_io(case: Case) -> None:
    rows = indexed(case, 'frames_rgb', 'annotation_rgb', 'stride', 'context')
    for i, (frames, annotation, stride, num_context) in enumerate(rows):
        order = case[f'frame_order_{i}']
        context = Context(
            **{**protocol_of('smtc_s16')['context'], 'num_frames': num_context}
        )
        for t in range(len(frames)):
            window = Counter(int(n) for n in order[t : t + num_context])
            window[0] += 1  # the first frame besides
            near = {n: copies[0] for n, copies in context.entries(t).items()}
            assert near == window
        case.exact(f'frame_order_{i}', [*[0] * num_context, *range(len(frames))])
        image = FrameInput(**model_of('smtc_vits16')['inputs'])(frames[0])
        case.close(f'normalised_first_{i}', image, atol=1e-5)
        colours, label_map = colours_of(annotation)
        case.exact(f'label_set_{i}', narrowed(colours))
        grid = (annotation.shape[0] // stride, annotation.shape[1] // stride)
        soft = encode_labels(label_map, list(range(len(colours))), grid, 'bilinear')
        case.close(f'first_label_{i}', soft.permute(1, 2, 0), atol=1e-5)


def colours_of(annotation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted (blue, green, red) colours of an RGB annotation, and its label map."""
    flat = annotation[..., ::-1].reshape(-1, 3)
    colours, numbers = np.unique(flat, axis=0, return_inverse=True)
    return colours, numbers.reshape(annotation.shape[:2]).astype(np.uint8)


def narrowed(colours: np.ndarray) -> np.ndarray:
    """Grey steps of one are one column in the official lists."""
    return (
        colours[:, :1] if (np.diff(colours.astype(int), axis=0) == 1).all() else colours
    )


@replay(
    'smtc',
    'label_prop_*',
    inputs=[
        *('features', 'first_label', 'image_size', 'stride'),
        *('num_context', 'topk', 'radius', 'temperature'),
    ],
)
def test_label_prop(case: Case) -> None:
    tracker = tracker_of(
        case.stride,
        context=dict(num_frames=case.num_context),
        window=dict(radius=case.radius),
        select=dict(topk=case.topk, temperature=case.temperature),
    )
    frames = np.zeros((len(case.features), *case.image_size, 3), np.uint8)
    tracker.backbone.recorded = case.tensor('features')
    video = memory_video(frames, np.zeros(frames.shape[1:3], np.uint8))
    plan = tracker.inputs.plan(*video.size)
    case.exact('resized_image', plan.input_size)
    feats = tracker.frame_features(video, range(len(frames)))
    patches = tuple(side * PATCH for side in case.features.shape[2:])
    assert tracker.backbone.seen == patches
    label0 = case.tensor('first_label').permute(2, 0, 1)
    soft = run_frames(tracker.propagator, feats, label0)  # (t, o, h, w)
    case.close('soft_labels', soft.permute(0, 2, 3, 1), atol=1e-5)
    ids, codec = list(range(len(label0))), tracker.protocol.label_codec()
    hard = np.stack([codec.to_labels(frame, ids, plan) for frame in soft])
    case.share_equal('hard_labels', hard, 0.999)


def test_an_odd_multiple_of_8_loses_pixels_as_published_and_none_with_the_option() -> (
    None
):
    published = tracker_of(8)
    plan = published.inputs.plan(480, 910)
    assert plan.input_size == (480, 904)
    assert published.seen_size(plan.input_size) == (480, 896)
    assert published.label_grid(plan.input_size) == (60, 113)
    whole = tracker_of(8, size=dict(multiple=16))
    plan = whole.inputs.plan(480, 910)
    assert plan.input_size == whole.seen_size(plan.input_size) == (480, 896)
    assert whole.label_grid(plan.input_size) == (60, 112)
    assert resolve_size((480, 854), multiple=16, rounding='floor').input_size == (
        480,
        848,
    )
    assert torch.equal(
        whole.to_label_grid(torch.ones(1, 2, 30, 56), plan.input_size),
        torch.ones(1, 2, 60, 112),
    )
