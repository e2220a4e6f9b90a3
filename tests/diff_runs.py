"""Evaluations of a tiny network whose factors are known, for tests of their diff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from densecorr.apis.evaluate import evaluate
from densecorr.registry import MODELS

from .trees import write_davis_tree

CONFIG = """
default_scope = 'densecorr'
randomness = dict(seed=0)
log_level = 'ERROR'
limits = dict(max_memory='512MB', max_bank=None, method='auto', precision='float32')
model = dict(
    type='VideoTracker',
    backbone=dict(type='TinyNet', channels=4),
    inputs=dict(color='rgb', mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
)
protocol = dict(
    name='toy',
    revision=1,
    davis=dict(
        reader='opencv',
        size=dict(),
        labels=dict(encode='bilinear', decode='bilinear', first_output='decoded'),
        context=dict(num_frames=3, first='global'),
        window=dict(shape='circle', radius=3),
        select=dict(topk=5, temperature=0.05),
    ),
)
task_davis = dict(
    task='davis',
    test_dataset=dict(
        type='DAVISDataset', year=2017, split='val', root=None, max_frames=None
    ),
    test_evaluator=[dict(type='VOSMetric', task='semi-supervised')],
)
"""


@MODELS.register_module(force=True)
class TinyNet(nn.Module):
    """One convolution of stride 4."""

    def __init__(self, channels: int, stride: int = 4, any_size: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, channels, stride, stride, padding=0, bias=False)
        self.stride, self.any_size, self.channels = stride, any_size, [channels]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.conv(images),)


class Runs:
    """A dataset, a config and weights in a folder, and evaluations of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        videos = {'dog': 6, 'camel': 4}
        self.data = write_davis_tree(folder / 'DAVIS', videos, size=(32, 48))
        self.config = folder / 'toy.py'
        self.config.write_text(CONFIG)

    def weights(self, name: str, factor: float = 1.0, channels: int = 4) -> Path:
        """A checkpoint: drawn from a seed, times a factor."""
        path = self.folder / f'{name}.pth'
        values = torch.randn(
            channels, 3, 4, 4, generator=torch.Generator().manual_seed(channels)
        )
        torch.save({'conv.weight': factor * values}, path)
        return path

    def run(self, name: str, weights: Path, **options: Any) -> Path:
        """Evaluate; options have ``__`` in place of dots."""
        out = self.folder / 'results' / name
        changes = {key.replace('__', '.'): value for key, value in options.items()}
        changes['test_dataset.root'] = str(self.data)
        evaluate(
            self.config,
            'davis',
            str(weights),
            out,
            cfg_options=changes,
            yardsticks='none',
            votes=False,
            threads=1,
        )
        return out
