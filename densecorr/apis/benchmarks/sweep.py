"""A sweep against runs of its settings one by one: CPU time, label maps and scores.

The most expensive setting, and others spread over the sweep, are evaluated alone, from
frames to predictions and scores; the sweep from frames to scores. Seconds are CPU time.
Weights are random: the scores say nothing about a method.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.logging import print_log

from densecorr.apis.benchmarks.protocols import build
from densecorr.apis.sweep import certified_share
from densecorr.apis.sweep_settings import OPTIONS, Swept, describe, swept_settings
from densecorr.engine.records import ResultFolder
from densecorr.engine.sweep_loop import SweepLoop
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.propagation.propagator import LabelPropagator
from densecorr.propagation.settings import Setting
from densecorr.propagation.sweep import NEIGHBOURS, SweepTracker
from densecorr.propagation.tracker import VideoTracker
from densecorr.structures import FrameResult, JointResult, VideoSample
from densecorr.utils.files import write_atomic
from densecorr.utils.images import read_label_map
from densecorr.utils.tables import format_csv

COLUMNS = (
    'setting',
    'CPU seconds a frame',
    'least agreement',
    'frames equal in every pixel',
    'largest difference of a measure',
)
_METRIC = dict(type='VOSMetric', task='semi-supervised')


class KeptMaps:
    """A :class:`SweepTracker` that keeps the label maps of some settings.

    Args:
        sweep: that follows the videos.
        settings: numbers of those whose maps are kept.

    Attributes:
        seconds: CPU time that keeping took.
    """

    def __init__(self, sweep: SweepTracker, settings: Sequence[int]) -> None:
        self.sweep, self.kept = sweep, set(settings)
        self.propagator, self.seconds = sweep.propagator, 0.0
        self._maps: dict[tuple[int, str, int], bytes] = {}

    def results(
        self, video: VideoSample
    ) -> Iterator[Iterator[FrameResult | JointResult]]:
        """As :meth:`SweepTracker.results`."""
        for results in self.sweep.results(video):
            yield (
                self._keep(number, video, result)
                for number, result in enumerate(results)
            )

    def _keep(self, number: int, video: VideoSample, result: Any) -> Any:
        if number in self.kept:
            started = time.process_time()
            key = (number, video.name, result.index)
            self._maps[key] = zlib.compress(result.label_map.tobytes(), 1)
            self.seconds += time.process_time() - started
        return result

    def agreement(
        self, number: int, folder: ResultFolder, videos: Sequence[VideoSample]
    ) -> list[float]:
        """Share of equal pixels with the predictions of a folder, for every frame."""
        found = []
        for video in videos:
            for index in range(video.num_frames):
                alone, _ = read_label_map(folder.frame_path(video, index))
                flat = zlib.decompress(self._maps[number, video.name, index])
                swept = np.frombuffer(flat, np.uint8).reshape(alone.shape)
                found.append(float((swept == alone).mean()))
        return found


def chosen_settings(swept: Swept, number: int) -> list[int]:
    """The most expensive setting, and others evenly spread over the sweep."""

    def cost(i: int) -> tuple[float, ...]:
        row = swept.rows[i]
        radius = np.inf if row['radius'] == 'none' else row['radius']
        return row['context'], radius, row['topk']

    dearest = max(range(len(swept.rows)), key=cost)
    spread = np.linspace(0, len(swept.rows) - 1, max(number, 1) + 1).round().astype(int)
    others = [int(i) for i in spread if i != dearest]
    return [dearest, *others][:number]


def run_sweep(
    tracker: VideoTracker,
    dataset: Any,
    swept: Swept,
    neighbours: int,
    kept: Sequence[int],
) -> tuple[SweepLoop, KeptMaps, float]:
    """The whole sweep: its loop, the kept maps, and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        loop = SweepLoop(
            _runner(tracker),
            dict(dataset=dataset),
            [_METRIC],
            folder,
            swept.settings,
            neighbours=neighbours,
        )
        maps = KeptMaps(loop.sweep, kept)
        loop.sweep = maps  # type: ignore[assignment]  # it has what the loop asks for
        started = time.process_time()
        loop.run()
        seconds = time.process_time() - started - maps.seconds
    return loop, maps, seconds


def run_alone(
    tracker: VideoTracker, dataset: Any, setting: Setting, folder: str
) -> tuple[VideoTestLoop, float]:
    """One setting as an evaluation of its own: its loop and CPU seconds."""
    protocol, old = tracker.protocol, tracker.propagator
    tracker.propagator = LabelPropagator(
        setting.context,
        setting.window,
        setting.rule,
        protocol.normalize,
        protocol.hard,
        old.limits,
    )
    loop = VideoTestLoop(_runner(tracker), dict(dataset=dataset), [_METRIC], folder)
    started = time.process_time()
    loop.run()
    seconds = time.process_time() - started
    tracker.propagator = old
    return loop, seconds


def compare(
    tracker: VideoTracker,
    dataset: Any,
    swept: Swept,
    neighbours: int,
    alone: Sequence[int],
) -> dict[str, Any]:
    """Sweep, then the settings ``alone``, the most expensive first.

    Returns:
        ``rows`` for ``COLUMNS``, ``seconds`` and ``ratio`` of the sweep to the most
        expensive setting, ``certified`` (share of all, least of a setting) and
        ``metrics`` of all settings.
    """
    loop, maps, seconds = run_sweep(tracker, dataset, swept, neighbours, alone)
    frames, videos = sum(loop.dataset.weights()), list(loop.dataset)
    found = loop.content['settings']
    rows, times = [], []
    for number in alone:
        with tempfile.TemporaryDirectory() as folder:
            single, spent = run_alone(tracker, dataset, swept.settings[number], folder)
            agreement = maps.agreement(number, single.folder, videos)
        theirs = found[number]['metrics']
        difference = max(
            abs(value - theirs[name])
            for name, value in single.content['metrics'].items()
        )
        times.append(spent)
        equal = sum(share == 1 for share in agreement)
        rows.append(
            (
                describe(swept.rows[number]),
                f'{spent / frames:.3f}',
                f'{100 * min(agreement):.4f} %',
                f'{equal} of {len(agreement)}',
                f'{difference:.1e}',
            )
        )
        print_log(', '.join(f'{k} {v}' for k, v in zip(COLUMNS, rows[-1], strict=True)))
    shares = [certified_share([item]) for item in found]
    return dict(
        rows=rows,
        frames=frames,
        seconds=seconds,
        ratio=seconds / times[0],
        certified=(certified_share(found), min(shares)),
        metrics=[item['metrics'] for item in found],
    )


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py sweep', description=__doc__)
    parser.add_argument('--protocol', default='catmae_s16_native')
    parser.add_argument('--model', default='res18_s8')
    parser.add_argument('--topk', default='5,7,10,15')
    parser.add_argument('--temperature', default='0.05,0.1,0.2')
    parser.add_argument('--radius', default='9,18')
    parser.add_argument('--context', default='10,20')
    parser.add_argument('--neighbours', type=int, default=NEIGHBOURS)
    parser.add_argument('--alone', type=int, default=5, help='settings run alone')
    parser.add_argument(
        '--sequences', nargs='+', default=['car-shadow', 'blackswan', 'horsejump-high']
    )
    parser.add_argument('--frames', type=int, default=0, help='0: all')
    parser.add_argument('--data', help='root of DAVIS')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={'model.backbone.strides': [1, 2, 2, 1]},
        metavar='KEY=VALUE',
        help='default: stride 16 for the default model',
    )
    parser.add_argument('--out', help='folder for the table and all measures')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    settings = dict(
        root=args.data, sequences=args.sequences, max_frames=args.frames or None
    )
    tracker, _ = build(args.protocol, args.model, args.cfg_options, **settings)
    values = {name: getattr(args, name) for name in OPTIONS}
    swept = swept_settings(tracker.protocol, values)
    dataset = dict(
        type='DAVISDataset', year=2017, split='val', reader=tracker.protocol.reader
    )
    alone = chosen_settings(swept, args.alone)
    found = compare(tracker, {**dataset, **settings}, swept, args.neighbours, alone)
    mean, least = found['certified']
    print_log(
        f'{len(swept.settings)} settings, {found["frames"]} frames: '
        f'{found["seconds"] / found["frames"]:.3f} CPU seconds a frame, '
        f'{found["ratio"]:.2f} times the most expensive setting alone; certified '
        f'{mean:.3%} of the selections, least of a setting {least:.3%}'
    )
    if args.out:
        folder = Path(args.out)
        write_atomic(folder / 'sweep.csv', format_csv(found['rows'], COLUMNS, 6))
        write_atomic(folder / 'sweep.json', json.dumps(_plain(found), indent=1) + '\n')
    return 0


def _plain(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != 'rows'}


def _runner(tracker: VideoTracker) -> Any:
    return SimpleNamespace(model=tracker, call_hook=_no_hook)


def _no_hook(*args: Any, **kwargs: Any) -> None:
    """A benchmark has no hooks."""
