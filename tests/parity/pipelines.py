"""Trackers and videos of the golden pipelines, built like the configs build them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from densecorr.convert import convert
from densecorr.propagation.tracker import VideoTracker
from densecorr.registry import MODELS
from densecorr.structures import LabelMap, VideoSample

from .replay import DEVICE, Case

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_'


def protocol_of(name: str, part: str = 'davis') -> dict[str, Any]:
    """A part of a shipped protocol."""
    config = Config.fromfile(CONFIGS / 'protocols' / f'{name}.py')
    return config.protocol[part].to_dict()


def model_of(name: str) -> dict[str, Any]:
    """A shipped model config."""
    return Config.fromfile(CONFIGS / 'models' / f'{name}.py').model.to_dict()


def load_golden(backbone: torch.nn.Module, content: Any, source: str) -> None:
    """Official weights through the conversion rules, strictly."""
    found = convert(content, source)
    wanted = set(backbone.state_dict())
    state = {key: value for key, value in found.state.items() if key in wanted}
    backbone.load_state_dict(state, strict=True)


def memory_video(
    frames: np.ndarray, first: np.ndarray, labels: dict[int, np.ndarray] | None = None
) -> VideoSample:
    """A video from arrays; ``labels`` are those of later frames."""
    maps = {0: first, **(labels or {})}
    return VideoSample(
        name='golden',
        frame_names=tuple(f'{t:05d}' for t in range(len(frames))),
        read_frame=lambda t: frames[t],
        label_frames=tuple(sorted(maps)),
        read_labels=lambda t: LabelMap(maps[t]),
        first_label_frames=tuple(sorted(maps)),
        size=frames.shape[1:3],
        hash_inputs=lambda: '',
    )


def crw_tracker(
    case: Case, state: dict[str, torch.Tensor], part: str = 'davis', **labels: Any
) -> VideoTracker:
    """CRW's network and protocol with the case's settings and official weights.

    Args:
        case: its hyper-parameters are taken.
        state: official weights.
        part: of the protocol.
        labels: laid over those of the protocol.
    """
    protocol = protocol_of('crw', part)
    protocol['labels'].update(labels)
    if case.crop_size > 0:
        protocol['size']['fixed'] = (case.crop_size, case.crop_size)
    protocol['context']['num_frames'] = case.n_context
    protocol['window']['radius'] = case.radius
    protocol['select'] = dict(topk=case.topk, temperature=case.temperature)
    model = {**model_of('crw_res18'), 'protocol': protocol}
    tracker = MODELS.build(model).eval().to(DEVICE)
    load_golden(tracker.backbone, dict(model=state), 'crw')
    return tracker


def crw_video(case: Case) -> VideoSample:
    """The case's frames and first annotation."""
    assert case.crop_size == -1
    return memory_video(case.frames, case.annotation0)
