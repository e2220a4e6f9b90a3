"""Every protocol on real frames: label maps against the operator's definition, time.

Each protocol runs with the network that it was published for, at random weights, on the
first frames of DAVIS sequences. In some frames the label map is computed again by the
definition of the operator (all affinities, then the best of every row) from the same
memory. Seconds are CPU time, of one thread unless ``--threads`` says otherwise; hours
are those of the 1999 frames of DAVIS-2017 val at that speed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction
from mmengine.logging import print_log
from torch import Tensor

from densecorr.apis.config import (
    apply_options,
    apply_protocol,
    apply_task,
    load_config,
    protocol_part,
    tracker_config,
)
from densecorr.convert import load_backbone
from densecorr.ops.propagate import propagate_reference
from densecorr.propagation.tracker import VideoTracker, first_label_map, objects_of
from densecorr.registry import DATASETS, MODELS
from densecorr.structures import VideoSample
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_csv

MODELS_OF = dict(
    crw='crw_res18',
    dul='dul_res18',
    vfs='vfs_res18',
    vfs_res50='vfs_res50',
    spa_then_temp='res18_d8',
    spa_then_temp_d4='res18_d4',
    dino='dino_vits16',
    timet='timet_vits16',
    smtc_s16='smtc_vits16',
    smtc_s8='smtc_vits16',
    catmae_s16='catmae_vits16',
    catmae_s16_native='catmae_vits16',
    catmae_s8='catmae_vits8',
    catmae_s8_native='catmae_vits8',
    cropmae='catmae_vits16',
    rsp='catmae_vits16',
    sfc='res18_s8',
    dift_sd='res18_s8',
    dift_adm='res18_s8',
    dinov3='dinov3_vits16',
)
COLUMNS = (
    'protocol',
    'model',
    'videos',
    'grid',
    'frames',
    'compared',
    'least agreement',
    'largest difference',
    'CPU seconds a frame',
    'CPU hours of DAVIS-2017 val',
)
_PLAIN = 'configs/test/crw_res18.py'  # gets the model and the protocol
_MODEL = 'res18_s8'  # of a protocol of one's own
_AT_ONCE = 100  # queries whose affinities with all keys exist at a time
_DAVIS_FRAMES = 1999
_HOUR = 3600


def compare(
    tracker: VideoTracker, video: VideoSample, compared: Sequence[int]
) -> dict[str, Any]:
    """Track a video; compute some frames again by the definition.

    Args:
        tracker: to be tried.
        video: with all objects in frame 0.
        compared: frame numbers, at least 1.

    Returns:
        ``grid``, ``agreement`` (share of equal pixels of each compared frame),
        ``difference`` (largest, of a soft label) and ``seconds`` (CPU time of each
        frame but the first: features, propagation and decoding).
    """
    plan, codec = tracker.inputs.plan(*video.size), tracker.protocol.label_codec()
    first = first_label_map(video, 0)
    ids, _ = objects_of(video, lambda labels: codec.seen(labels, plan))
    propagator = tracker.propagator
    propagator.start()
    agreement, seconds, difference = [], [], 0.0
    grid = (0, 0)
    for index in range(video.num_frames):
        started = time.process_time()
        feats = tracker.frame_features(video, [index])[0]
        grid = (feats.shape[1], feats.shape[2])
        paused = time.process_time()
        wanted = _definition(tracker, feats) if index in compared else None
        going_on = time.process_time()
        labels = None if index else codec.to_soft(first, ids, plan, grid)
        soft = propagator.step(feats, labels)
        found = codec.to_labels(soft, ids, plan)
        seconds.append(time.process_time() - going_on + paused - started)
        if wanted is not None:
            difference = max(difference, float((soft - wanted).abs().max()))
            agreement.append(
                float((codec.to_labels(wanted, ids, plan) == found).mean())
            )
    return dict(
        grid=grid, agreement=agreement, difference=difference, seconds=seconds[1:]
    )


def _definition(tracker: VideoTracker, feats: Tensor) -> Tensor:
    """``(o, h, w)`` soft labels of the next frame by the definition."""
    propagator, protocol = tracker.propagator, tracker.protocol
    memory = (propagator.keys(), propagator.memory_labels)
    unit = propagator.unit(feats)
    queries = torch.arange(unit.shape[0] * unit.shape[1])
    rows = [
        propagate_reference(unit, *memory, protocol.window, protocol.select, some)
        for some in queries.split(_AT_ONCE)
    ]
    return torch.cat(rows).t().unflatten(1, unit.shape[:2])


def build(
    protocol: str,
    model: str,
    options: Mapping[str, Any] | None = None,
    **dataset: Any,
) -> tuple[VideoTracker, Any]:
    """The tracker of a protocol with random weights, and the videos of DAVIS.

    Args:
        protocol: name of the protocol.
        model: file of ``configs/_base_/models``.
        options: changes of the config.
        dataset: arguments of the dataset, such as ``sequences``.
    """
    cfg = load_config(_PLAIN)
    models = Path(str(cfg.filename)).parents[1] / '_base_' / 'models'
    cfg.model = load_config(models / f'{model}.py').model
    cfg = apply_options(apply_task(apply_protocol(cfg, protocol), 'davis'), options)
    part = protocol_part(cfg)
    cfg.test_dataset.update(dataset)
    cfg.test_dataset.update(part.get('data', {}))
    cfg.test_dataset.reader = part.get('reader', 'opencv')
    tracker: Any = MODELS.build(tracker_config(cfg)).eval()
    load_backbone(tracker.backbone, 'random')
    return tracker, DATASETS.build(cfg.test_dataset)


def measure(
    tracker: VideoTracker, videos: Any, compared: Sequence[int]
) -> dict[str, Any]:
    """:func:`compare` over several videos."""
    grids: list[str] = []
    agreement, seconds, difference, frames = [], [], 0.0, 0
    for number in range(len(videos)):
        found = compare(tracker, videos[number], compared)
        grids.append('x'.join(map(str, found['grid'])))
        agreement += found['agreement']
        seconds += found['seconds']
        difference = max(difference, found['difference'])
        frames += videos[number].num_frames
    if not agreement:
        raise ValueError(
            f'none of the frames {list(compared)} is there; --compare takes numbers '
            'from 1 to one less than the frames of a video.'
        )
    pace = statistics.mean(seconds)
    values = (
        len(videos),
        ' '.join(dict.fromkeys(grids)),
        frames,
        len(agreement),
        f'{100 * min(agreement):.3f} %',
        f'{difference:.1e}',
        f'{pace:.2f}',
        f'{pace * _DAVIS_FRAMES / _HOUR:.1f}',
    )
    return dict(zip(COLUMNS[2:], values, strict=True))


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py protocols')
    parser.description = __doc__
    parser.add_argument('--protocols', nargs='+', default=list(MODELS_OF))
    parser.add_argument('--model', help='for all; default: the one of each protocol')
    parser.add_argument(
        '--sequences', nargs='+', default=['car-shadow'], help='or all, for those here'
    )
    parser.add_argument('--frames', type=int, default=20, help='0: all')
    parser.add_argument('--compare', type=int, nargs='+', default=[1, 2, 10, 19])
    parser.add_argument('--data', help='root of DAVIS')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE'
    )
    parser.add_argument('--out', help='csv file, extended protocol by protocol')
    return parser.parse_args(argv)


@torch.inference_mode()
def main(argv: list[str] | None = None) -> int:
    """Measure and print a row per protocol."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    dataset = dict(
        root=args.data,
        sequences=None if args.sequences == ['all'] else args.sequences,
        max_frames=args.frames or None,
    )
    rows: list[list[Any]] = []
    for protocol in args.protocols:
        model = args.model or MODELS_OF.get(protocol, _MODEL)
        tracker, videos = build(protocol, model, args.cfg_options, **dataset)
        found = measure(tracker, videos, args.compare)
        rows.append([protocol, model, *found.values()])
        row = zip(COLUMNS, rows[-1], strict=True)
        print_log(', '.join(f'{name} {value}' for name, value in row))
        if args.out:
            write_atomic(args.out, format_csv(rows, COLUMNS, 6))
    return 0
