"""Time of dense features: fused against explicit attention, and bare CNNs.

The baseline is the attention block of the official DINO code: the softmax matrix of
every head is materialised. Both networks have the same weights and see the same image;
they run in turn, and medians are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from densecorr.apis.benchmarks.timing import alternate
from densecorr.models.backbones.fold import fold_batch_norm
from densecorr.registry import MODELS

TARGET_RATIO = 1.6
TARGET_DIFFERENCE = 1e-5

_CNNS: dict[str, dict[str, Any]] = {
    'crw ResNet-18': dict(strides=(1, 2, 1, 1), padding_mode='reflect'),
    'spa_then_temp ResNet-18 d8': dict(strides=(1, 2, 2, 1), pool='none'),
}


class ExplicitAttention(nn.Module):
    """Self-attention of the official DINO block around the layers of a timm one."""

    def __init__(self, attn: nn.Module) -> None:
        super().__init__()
        self.attn: Any = attn

    def forward(self, x: Tensor, **kwargs: Any) -> Tensor:
        """``(b, n, c)`` to ``(b, n, c)``."""
        attn = self.attn
        qkv = attn.qkv(x).unflatten(2, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)  # (b, heads, n, c)
        weights = ((q @ k.transpose(-2, -1)) * attn.scale).softmax(dim=-1)
        return attn.proj((weights @ v).transpose(1, 2).flatten(2))


def with_explicit_attention(backbone: nn.Module) -> nn.Module:
    """A copy of a :class:`TimmFeatures` ViT with :class:`ExplicitAttention`."""
    copy: Any = deepcopy(backbone)
    for block in copy.model.blocks:
        block.attn = ExplicitAttention(block.attn)
    return copy


@torch.inference_mode()
def benchmark_attention(arch: str, size: tuple[int, int], pairs: int) -> dict:
    """Fused against explicit attention: seconds, ratio, largest difference."""
    torch.manual_seed(0)
    config = dict(type='TimmFeatures', arch=arch, pos_embed_rule='scale_factor')
    fused = MODELS.build(config).eval()
    explicit = with_explicit_attention(fused)
    images = torch.randn(1, 3, *size)
    difference = (fused(images)[0] - explicit(images)[0]).abs().max().item()
    runs: dict[str, Callable[[], Any]] = dict(
        fused=partial(fused, images), explicit=partial(explicit, images)
    )
    seconds = alternate(runs, pairs)
    ratio = seconds['explicit'] / seconds['fused']
    tokens = (size[0] // fused.stride) * (size[1] // fused.stride)
    return dict(seconds=seconds, ratio=ratio, difference=difference, tokens=tokens)


@torch.inference_mode()
def benchmark_cnn(options: dict[str, Any], size: tuple[int, int], pairs: int) -> dict:
    """A bare ResNet-18 as built, channels last, and with folded batch norms."""
    torch.manual_seed(0)
    config = dict(type='ResNet', depth=18, out_indices=(2,), **options)
    plain = MODELS.build(config).eval()
    last: Any = deepcopy(plain)
    last = last.to(memory_format=torch.channels_last)
    networks = dict(plain=plain, channels_last=last, folded=fold_batch_norm(plain))
    images = torch.randn(1, 3, *size)
    expected = F.normalize(plain(images)[0], dim=1)
    difference = max(
        (F.normalize(network(images)[0], dim=1) - expected).abs().max().item()
        for network in networks.values()
    )
    runs: dict[str, Callable[[], Any]] = {
        name: partial(network, images) for name, network in networks.items()
    }
    return dict(seconds=alternate(runs, pairs), difference=difference)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py features', description=__doc__)
    parser.add_argument('--arch', default='vit_small_patch16_224', help='timm ViT')
    parser.add_argument('--size', type=int, nargs=2, default=(480, 880), metavar='PX')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--skip-cnns', action='store_true', help='ViT only')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if the fused attention misses its target."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    size = tuple(args.size)
    result = benchmark_attention(args.arch, size, args.pairs)
    reached = result['ratio'] >= TARGET_RATIO
    equal = result['difference'] <= TARGET_DIFFERENCE
    seconds = result['seconds']
    print_log(
        f'{args.arch} at {size[0]}x{size[1]} ({result["tokens"]} tokens), '
        f'{args.threads} thread(s), median of {args.pairs} alternating pairs: '
        f'explicit {seconds["explicit"]:.3f} s, fused {seconds["fused"]:.3f} s, '
        f'ratio {result["ratio"]:.2f} (target {TARGET_RATIO}: '
        f'{"reached" if reached else "MISSED"}), largest difference '
        f'{result["difference"]:.1e} (limit {TARGET_DIFFERENCE:.0e}: '
        f'{"kept" if equal else "EXCEEDED"})'
    )
    for name, options in ({} if args.skip_cnns else _CNNS).items():
        result = benchmark_cnn(options, size, args.pairs)
        times = ', '.join(f'{k} {v:.3f} s' for k, v in result['seconds'].items())
        print_log(
            f'{name} at {size[0]}x{size[1]}: {times}; unit features differ by at most '
            f'{result["difference"]:.1e}'
        )
    return 0 if reached and equal else 1
