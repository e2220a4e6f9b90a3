"""A dataset and a method that train in no time; imported by a config of tests."""

import json
from pathlib import Path

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from torch import nn

from densecorr.models.methods.base import BaseMethod, clip_seeds
from densecorr.ops.noise import item_noise
from densecorr.registry import DATASETS, HOOKS, MODELS
from densecorr.structures import ClipKey
from densecorr.utils.randomness import draw_seed, item_rng

SIDE = 16


@DATASETS.register_module(force=True)
class NoiseClips:
    """Clips of noise with a vertical edge; a clip is a function of its key."""

    def __init__(self, num_clips=16, num_frames=2, seed=0, corrupt=False):
        self.num_clips, self.num_frames = num_clips, num_frames
        self.seed, self.corrupt = seed, corrupt
        self.metainfo = dict(name='NoiseClips')

    def __len__(self):
        return self.num_clips

    def __getitem__(self, key: ClipKey):
        rng = item_rng(self.seed, key.epoch, key.item)
        seed = draw_seed(rng)
        shape = (self.num_frames, 3, SIDE, SIDE)
        frames = torch.from_numpy(rng.integers(0, 128, shape).astype('uint8'))
        frames[..., SIDE // 2 :] += 100
        sample = dict(
            video=f'clip{key.item}',
            frame_indices=tuple(range(self.num_frames)),
            epoch=key.epoch,
            index=key.item,
            seed=seed,
            replaced=('bad.mp4: damaged',) if self.corrupt else (),
        )
        return dict(inputs=dict(frames=frames), data_samples=sample)


@MODELS.register_module(force=True)
class Edges(nn.Module):
    """A backbone of one convolution, batch-normalised where asked for."""

    any_size, channels = False, [8]

    def __init__(self, norm=True, dropout=0.0, stages=1, stride=1):
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(3, 8, 2 * stride + 1, stride, stride)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.spare = nn.Linear(2, 2) if stages > 1 else None

    def forward(self, images):
        return (self.dropout(self.norm(self.conv(images)).relu()),)


@MODELS.register_module(force=True)
class SeeEdges(BaseMethod):
    """Tell the two halves of a frame apart, under noise of the clip's own."""

    def __init__(self, spoil_at=None, noise=0.1, **kwargs):
        super().__init__(**kwargs)
        self.head = nn.Conv2d(8, 1, 1)
        self.spoil_at, self.noise = spoil_at, noise
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))

    def loss(self, inputs, data_samples):
        frames = self.normalize(inputs['frames'])  # (b, t, 3, H, W)
        noise = item_noise(clip_seeds(data_samples), 0, frames.shape[1:], frames.device)
        feats = self.backbone((frames + self.noise * noise).flatten(0, 1))[0]
        target = torch.zeros(SIDE, device=frames.device)
        target[SIDE // 2 :] = 1
        logits = self.head(feats)  # (b * t, 1, h, w)
        logits = nn.functional.interpolate(logits, SIDE)[:, 0]  # (b * t, H, W)
        loss = nn.functional.binary_cross_entropy_with_logits(
            logits, target.expand_as(logits)
        )
        if self.spoil_at is not None and int(self.steps) == self.spoil_at:
            loss = loss * float('nan')
        self.steps += 1
        return dict(loss_edges=loss, feature_std=feats.detach().std())


@HOOKS.register_module(force=True)
class KeysHook(Hook):
    """Writes which clips each iteration had."""

    def __init__(self, path):
        self.path = Path(path)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        rows = [(s['epoch'], s['index'], s['seed']) for s in data_batch['data_samples']]
        with self.path.open('a') as handle:
            handle.write(f'{runner.rank} {batch_idx} {rows}\n')


@HOOKS.register_module(force=True)
class OutputsHook(Hook):
    """Writes what each iteration gave to the log."""

    def __init__(self, path):
        self.path = Path(path)

    @master_only
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        with self.path.open('a') as handle:
            handle.write(json.dumps({k: float(v) for k, v in outputs.items()}) + '\n')


def write_config(folder, **fields):
    """A config of the toys in ``folder``; ``fields`` replace its own."""
    content = dict(
        custom_imports=dict(imports=['tests.training_toys']),
        default_scope='densecorr',
        randomness=dict(seed=3),
        model=dict(
            type='SeeEdges',
            backbone=dict(type='Edges'),
            inputs=dict(color='rgb', mean=(0.5,) * 3, std=(0.25,) * 3),
        ),
        train_dataloader=dict(
            batch_size=4, num_workers=0, dataset=dict(type='NoiseClips')
        ),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.01)),
        train_cfg=dict(max_iters=6),
        default_hooks=dict(
            checkpoint=dict(
                type='TrainCheckpointHook', interval=3, unit='iter', max_keep=None
            )
        ),
    )
    content.update(fields)
    path = folder / 'toy.py'
    lines = [f'{name} = {value!r}' for name, value in content.items()]
    path.write_text('\n'.join(lines) + '\n')
    return path
