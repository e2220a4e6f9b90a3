"""SpriteWorld's yardsticks: what features of each kind score on generated clips.

Perfect features know every material point, noise knows nothing, copied labels do not
move. Bars, means over the clips: perfect features reach 0.98 at stride 1 and 0.96 of
the ceiling at strides 2 and 4 on ``single``, 0.90 of the ceiling at stride 4 on
``occlusion``; noise without a window stays below 0.10, copied labels are in between.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import print_log

from densecorr.apis.config import apply_protocol, load_config
from densecorr.convert import load_backbone
from densecorr.evaluation.metrics import VOSMetric
from densecorr.registry import DATASETS, MODELS
from densecorr.structures import VideoSample
from densecorr.utils.tables import format_table

KINDS = ('ceiling', 'perfect', 'colors', 'random', 'copy', 'noise')
_PLAIN = 'configs/test/crw_res18.py'
_RANDOM_STRIDES = (4, 8)  # of the ResNet-18 that is drawn at random
_COLOR_INPUTS = dict(color='rgb', mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def davis_protocol(name: str = 'crw') -> dict[str, Any]:
    """The DAVIS part of a protocol at the frames' own size."""
    cfg = apply_protocol(load_config(_PLAIN), name)
    return {**cfg.protocol.davis.to_dict(), 'size': dict(rounding='nearest')}


def tracker_of(kind: str, stride: int, protocol: dict[str, Any]) -> Any:
    """A tracker of one of ``KINDS``.

    Args:
        kind: ``'random'`` is a ResNet-18 to its third stage, for strides 4 and 8;
            ``'noise'`` looks everywhere, without the protocol's window.
        stride: of the features.
        protocol: a DAVIS part, see :func:`davis_protocol`.

    Raises:
        KeyError: unknown kind.
    """
    common = dict(stride=stride, protocol=protocol)
    everywhere = {**protocol, 'window': dict(shape='none')}
    network = dict(
        type='ResNet', depth=18, strides=(1, stride // 4, 1, 1), out_indices=(2,)
    )
    colors = dict(backbone=dict(type='RawColors', stride=stride), inputs=_COLOR_INPUTS)
    models: dict[str, dict] = dict(
        ceiling=dict(type='LabelCeiling', **common),
        perfect=dict(type='PointTracker', **common),
        copy=dict(type='FirstLabelsCopied'),
        noise=dict(type='NoiseTracker', stride=stride, protocol=everywhere),
        colors=dict(type='VideoTracker', protocol=protocol, **colors),
        random=dict(
            type='VideoTracker', backbone=network, inputs={}, protocol=protocol
        ),
    )
    tracker: Any = MODELS.build(models[kind]).eval()
    if kind == 'random':
        load_backbone(tracker.backbone, 'random')
    return tracker


@torch.inference_mode()
def mean_score(tracker: Any, videos: Sequence[VideoSample]) -> float:
    """J&F of a tracker over videos, the mean over all their objects, a fraction."""
    metric, results = VOSMetric(), []
    for video in videos:
        metric.start(video)
        for result in tracker.track(video):
            target = video.read_labels(result.index).indices
            metric.update(result.index, result.label_map, target)
        results.append(metric.finish())
    return metric.compute_metrics(results)['J&F-Mean']


def measure(
    preset: str,
    stride: int,
    kinds: Sequence[str] = KINDS,
    protocol: str = 'crw',
    **world: Any,
) -> dict[str, float]:
    """J&F of several kinds of features on a preset, see :func:`tracker_of`.

    Args:
        preset: of SpriteWorld.
        stride: of the features.
        kinds: some of ``KINDS``; ``'random'`` is left out at other strides than its
            own.
        protocol: name of the protocol.
        world: further arguments of the dataset ``SpriteWorld``.
    """
    dataset: Any = DATASETS.build(dict(type='SpriteWorld', preset=preset, **world))
    videos = [dataset[i] for i in range(len(dataset))]
    part = davis_protocol(protocol)
    return {
        kind: mean_score(tracker_of(kind, stride, part), videos)
        for kind in kinds
        if kind != 'random' or stride in _RANDOM_STRIDES
    }


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py spriteworld')
    parser.description = __doc__
    parser.add_argument('--presets', nargs='+', default=['single', 'occlusion'])
    parser.add_argument('--strides', type=int, nargs='+', default=[4, 8])
    parser.add_argument('--kinds', nargs='+', choices=KINDS, default=list(KINDS))
    parser.add_argument('--protocol', default='crw')
    parser.add_argument('--clips', type=int, default=8)
    parser.add_argument('--frames', type=int, default=20, help='of each clip')
    parser.add_argument('--size', type=int, nargs=2, default=[240, 432])
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and print a table in percent."""
    args = parse_args(argv)
    world = dict(
        num_clips=args.clips,
        num_frames=args.frames,
        size=tuple(args.size),
        seed=args.seed,
    )
    rows = []
    for preset in args.presets:
        for stride in args.strides:
            found = measure(preset, stride, args.kinds, args.protocol, **world)
            missing = dict.fromkeys(args.kinds)
            rows.append({'preset': preset, 'stride': stride, **missing, **found})
            print_log(f'{preset}, stride {stride}: measured')
    print_log(f'J&F, percent\n{format_table(rows, list(rows[0]))}')
    return 0
