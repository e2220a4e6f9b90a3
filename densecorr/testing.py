"""Configs at toy size, for tests of configs and of what is built from them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from mmengine.config import Config

_VIT = dict(depth=1, embed_dim=32, num_heads=2)
_SHORT_SIDE = 64  # pixels
_CONTEXT = 2  # frames
_FRAMES = 3  # of a video
_CLIP = 4  # frames of a training clip
_GAP = 2  # frames between two of its frames
_BATCH = 2  # clips, also of generated videos to evaluate
_ITERS = 2
_PATCH = 32  # pixels, of a grid of patches
_VIDEOS = 4  # generated
_DEPTH = 18  # of ResNets in training
_QUEUE = 8  # keys of earlier batches
_BLOCK = re.compile(r'\.blocks\.\d+\.')
_HIDDEN = 0.75  # share of the patches that a masked autoencoder does not see


def shrink(cfg: Config) -> Config:
    """The same components with little to compute: seconds on a CPU for any config.

    ViTs get one block of width 32 (their patches stay); network inputs a short side of
    about 64 pixels; protocols at most 2 recent frames; videos 3 frames. ResNets stay
    as they are, but for the ResNet-50 of a training, which becomes a ResNet-18. Weights
    of a checkpoint do not fit the result. Training takes 2 iterations of 2 clips
    without worker processes and without validation; clips have at most 4 frames, close
    to one another, of 64 pixels, and queues 8 keys.

    Args:
        cfg: a config, with or without a task applied; it is not changed.
    """
    cfg = deepcopy(cfg)
    backbone = cfg.get('model', {}).get('backbone', {})
    if backbone.get('type') == 'TimmFeatures' and backbone.arch.startswith('vit'):
        backbone.update(_VIT, out_indices=(-1,))
        if 'unused_parameters' in cfg:
            names = [_BLOCK.sub('.blocks.0.', name) for name in cfg.unused_parameters]
            cfg.unused_parameters = names
    for part in cfg.get('protocol', {}).values():
        if isinstance(part, Mapping) and 'context' in part:
            _shrink_part(part)
    for key, value in cfg.items():
        if key.startswith('task_'):
            _shrink_dataset(value.test_dataset)
    if 'test_dataset' in cfg:
        _shrink_dataset(cfg.test_dataset)
    if 'train_dataloader' in cfg:
        _shrink_training(cfg)
    if 'init' in cfg:
        cfg.init = None  # weights of the network's own size
    return cfg


def _shrink_part(part: Any) -> None:
    """What the protocol says about one task."""
    size = part.size
    if 'short_side' in size:
        size.short_side = _SHORT_SIDE
    if 'fixed' in size:
        size.fixed = _small(size.fixed)
    if 'resize' in part.get('data', {}):
        part.data.resize = _small(part.data.resize)
    part.context.num_frames = min(part.context.num_frames, _CONTEXT)


def _small(size: tuple[int, int]) -> tuple[int, int]:
    """(H, W) of nearly the same shape with the toy short side, in multiples of 16."""
    scale = _SHORT_SIDE / min(size)
    height, width = (max(16, round(side * scale / 16) * 16) for side in size)
    return height, width


def _shrink_dataset(dataset: Any) -> None:
    dataset.max_frames = _FRAMES
    if 'num_clips' in dataset:
        dataset.num_clips = _BATCH


def _shrink_training(cfg: Config) -> None:
    loader = cfg.train_dataloader
    loader.update(batch_size=_BATCH, num_workers=0)
    loader.pop('prefetch_factor', None)
    cfg.train_cfg = dict(max_iters=_ITERS)
    cfg.pop('validation', None)
    if cfg.model.backbone.get('type') == 'ResNet':
        cfg.model.backbone.depth = _DEPTH
    if 'unfrozen' in cfg.model:  # names of blocks that are no longer there
        cfg.model.unfrozen = None
    for part in (cfg.model, *cfg.model.get('parts', {}).values()):
        if 'queue_length' in part:
            part.queue_length = _QUEUE
        if 'mask_ratios' in part:
            part.mask_ratios = [_HIDDEN] * len(part.mask_ratios)
    for value in cfg.get('default_hooks', {}).get('schedules', {}).get('values', ()):
        value.schedule.pop('warmup', None)  # longer than the training
    _shrink_clips(loader.dataset)
    for hook in cfg.get('custom_hooks', []):
        if 'num_clips' in hook.get('dataset', {}):  # whole videos
            _shrink_dataset(hook.dataset)
        elif 'dataset' in hook:
            hook.num_clips = _BATCH
            _shrink_clips(hook.dataset)


def _shrink_clips(dataset: Any) -> None:
    """A dataset of training clips."""
    for name, most in dict(num_frames=_CLIP, gap=_GAP).items():
        if name in dataset.get('sampler', {}):
            dataset.sampler[name] = min(dataset.sampler[name], most)
    if 'without_fold' in dataset:  # a toy has too few videos to leave some out
        dataset.without_fold = None
    if 'worlds' in dataset:
        dataset.worlds.num_clips = _VIDEOS
    for step in dataset.get('pipeline', []):
        _shrink_step(step)


def _shrink_step(step: Any) -> None:
    """What a transform of clips says about sizes."""
    if 'patch_size' in step:
        step.stride = max(1, round(step.stride * _PATCH / step.patch_size))
        step.patch_size = _PATCH
    for name in ('size', 'short_side'):
        value = step.get(name)
        if isinstance(value, int):
            step[name] = _SHORT_SIDE
        elif value is not None:
            step[name] = _small(tuple(value))
