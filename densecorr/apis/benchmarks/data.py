"""Loading clips for training: the whole way against the bare decode of the frames.

The bare decode opens the same videos with the same reader and reads the same frames at
full size. The whole way is the dataset's: draw the frames, read them, crop a random
part of 20 to 100 % to ``--size`` px, mirror, jitter all four colours, pack, collate.
Both run in turn in one process and one thread; their times are CPU time, so that other
programs disturb little. Clips per second are wall time, of ``--workers`` processes.
With ``--config`` the loader of a training is held against its steps, too.

Sources: folders of frames or video files at any depth; by default DAVIS' frames and the
folder ``videos`` below ``data`` (or ``$DENSECORR_DATA``), and generated clips where
neither is there.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import cv2
from mmengine.config import DictAction
from mmengine.logging import print_log

from densecorr.apis.benchmarks.data_training import describe, measure_training
from densecorr.apis.benchmarks.timing import alternate
from densecorr.compat import keep_freed_memory, limit_threads
from densecorr.datasets.collate import collate_clips
from densecorr.datasets.toy.presets import make_clips
from densecorr.engine.train_loader import build_loader
from densecorr.registry import DATASETS
from densecorr.utils.clip_reader import open_clip_source
from densecorr.utils.data_info import data_folders
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_csv, format_table
from densecorr.utils.video_writer import VideoWriter

TARGET_RATIO = 1.5
COLUMNS = (
    'source',
    'resizer',
    'min short side',
    'videos',
    'clips',
    'decode ms',
    'item ms',
    'ratio',
)
_REAL = ('davis/JPEGImages', 'videos')  # below a folder of data
_GENERATED = 'generated'
_CLIPS_PER_VIDEO = 10**6  # as many as anyone measures
_MILLI = 1000
_FRAMES, _FPS = 30, 24  # of a generated clip


def pipeline(size: int, resizer: str) -> list[dict[str, Any]]:
    """Configs of all that happens to a clip after decoding."""
    return [
        dict(type='ClipRandomResizedCrop', size=size, area=(0.2, 1.0), resizer=resizer),
        dict(type='ClipRandomFlip'),
        dict(
            type='ClipColorJitter',
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.1,
        ),
        dict(type='PackClip'),
    ]


def build_clips(
    root: str | Path,
    steps: Sequence[dict[str, Any]] = (),
    num_frames: int = 4,
    min_short_side: int | None = None,
) -> Any:
    """Clips of all videos below ``root``, every eighth frame where they are long."""
    return DATASETS.build(
        dict(
            type='VideoClips',
            root=str(root),
            sampler=dict(type='GapSampler', num_frames=num_frames),
            pipeline=list(steps),
            clips_per_video=_CLIPS_PER_VIDEO,
            decode=dict(min_short_side=min_short_side),
        )
    )


def bare_decode(dataset: Any, item: int) -> Callable[[], None]:
    """A function that decodes the frames of an item, whole, and does no more.

    Args:
        dataset: without a pipeline.
        item: its number.
    """
    sample = dataset[item]
    indices = sample['frame_indices']
    video = next(v for v in dataset.videos if v.name == sample['video'])

    def decode() -> None:
        with open_clip_source(video.source()) as source:
            source.read(indices)

    return decode


def measure(
    root: str | Path,
    count: int,
    pairs: int,
    size: int = 256,
    num_frames: int = 4,
    resizer: str = 'opencv',
    min_short_side: int | None = None,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Any]:
    """Time of a clip, decoded and as an item: means over clips of their medians.

    Args:
        root: folder of videos.
        count: clips that are measured.
        pairs: how often each clip is decoded and loaded, in turn.
        size: side of the result in pixels.
        num_frames: frames of a clip.
        resizer: of the random resized crop.
        min_short_side: JPEGs of the items may be decoded at a size that keeps it; the
            bare decode is always whole.
        clock: CPU time of this process, in seconds.

    Returns:
        ``videos``, ``clips``, ``decode ms`` and ``item ms`` of a clip, their ``ratio``.
    """
    dataset = build_clips(root, pipeline(size, resizer), num_frames, min_short_side)
    plain = build_clips(root, (), num_frames)
    seconds = [
        alternate(
            dict(
                decode=bare_decode(plain, number),
                item=partial(_load, dataset, number),
            ),
            pairs,
            clock,
        )
        for number in range(count)
    ]
    decode, item = (
        _MILLI * sum(each[name] for each in seconds) / count
        for name in ('decode', 'item')
    )
    return {
        'videos': len(dataset.videos),
        'clips': count,
        'decode ms': decode,
        'item ms': item,
        'ratio': item / decode,
    }


def _load(dataset: Any, item: int) -> None:
    collate_clips([dataset[item]])


def loading_rate(
    dataset: Any, num_workers: int, batch_size: int, num_batches: int
) -> float:
    """Clips per second that a loader hands out once it is running."""
    config = dict(dataset=dataset, batch_size=batch_size, num_workers=num_workers)
    loader, _ = build_loader(config, seed=0)
    batches = iter(loader)
    warm = 1 + 2 * num_workers  # what workers hold ready is taken first
    for _ in itertools.islice(batches, warm):
        pass
    start = time.perf_counter()
    for _ in itertools.islice(batches, num_batches):
        pass
    return num_batches * batch_size / (time.perf_counter() - start)


def find_sources(given: Sequence[str], stack: ExitStack) -> dict[str, Path]:
    """Names and folders of what is measured.

    Args:
        given: folders; empty takes the real data at hand, or generated clips.
        stack: removes generated files in the end.

    Raises:
        FileNotFoundError: a given folder is not there.
    """
    if given:
        missing = [name for name in given if not Path(name).is_dir()]
        if missing:
            raise FileNotFoundError(
                f'There is no folder of videos {missing[0]!r}. Leave --data out to '
                'measure generated clips.'
            )
        return {name: Path(name) for name in given}
    found = {}
    for name in _REAL:
        places = [folder / name for folder in data_folders()]
        there = [place for place in places if place.is_dir()]
        if there:
            found[name] = there[0]
    if found:
        return found
    root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    write_generated(root)
    return {f'{_GENERATED} {kind}': root / kind for kind in ('frames', 'files')}


def write_generated(root: Path, size: tuple[int, int] = (480, 854)) -> None:
    """Two clips of SpriteWorld: JPEGs in ``root/frames``, MP4 in ``root/files``."""
    for clip in make_clips('mixed', 2, size, _FRAMES, seed=0):
        with VideoWriter(root / 'files' / f'{clip.name}.mp4', size, _FPS) as writer:
            for t in range(_FRAMES):
                frame = clip.frame(t)
                writer.write(frame)
                _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
                place = root / 'frames' / clip.name / f'{t:05d}.jpg'
                write_atomic(place, jpeg.tobytes())


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py data', description=__doc__)
    parser.add_argument('--data', nargs='+', default=[], help='folders of videos')
    parser.add_argument('--clips', type=int, default=32, help='measured of a source')
    parser.add_argument('--pairs', type=int, default=5)
    parser.add_argument('--frames', type=int, default=4, help='of a clip')
    parser.add_argument('--size', type=int, default=256)
    parser.add_argument(
        '--resizers', nargs='+', default=['opencv'], help='of the random crop'
    )
    parser.add_argument(
        '--min-short-side', type=int, help='also decode JPEGs at reduced size'
    )
    parser.add_argument('--workers', type=int, nargs='*', default=[0, 2])
    parser.add_argument('--batch', type=int, default=4, help='clips of a batch')
    parser.add_argument('--config', help='training whose steps are measured')
    parser.add_argument('--iters', type=int, default=10, help='of the training')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE'
    )
    parser.add_argument('--out', help='csv file')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and print a table; 1 if an item takes more than its share."""
    args = parse_args(argv)
    training = ''
    if args.config:
        found = measure_training(args.config, args.cfg_options, args.iters)
        training = f'\n{describe(args.config, found)}'
    limit_threads(1)
    keep_freed_memory()  # as worker processes do
    rates = [f'clips/s, {workers} workers' for workers in args.workers]
    rows = []
    with ExitStack() as stack:
        for name, root in find_sources(args.data, stack).items():
            for resizer, side in _variants(args):
                row = _row(args, root, resizer, side)
                rows.append({'source': name, **row})
    columns = [*COLUMNS, *rates]
    print_log(
        f'Clips of {args.frames} x {args.size} px; CPU time of one thread for a '
        f'clip, the median of {args.pairs} turns\n'
        f'{format_table([_texts(row) for row in rows], columns)}{training}'
    )
    if args.out:
        cells = [[row[name] for name in columns] for row in rows]
        write_atomic(args.out, format_csv(cells, columns, 6))
    missed = [row for row in rows if row['ratio'] > TARGET_RATIO]
    print_log(
        f'An item takes at most {max(row["ratio"] for row in rows):.2f} times its bare '
        f'decode (target {TARGET_RATIO}: {"MISSED" if missed else "reached"})'
    )
    return 1 if missed else 0


def _variants(args: argparse.Namespace) -> list[tuple[str, int | None]]:
    """Pairs of resizer and ``min_short_side``."""
    sides = [None, args.min_short_side] if args.min_short_side else [None]
    return list(itertools.product(args.resizers, sides))


def _row(
    args: argparse.Namespace, root: Path, resizer: str, side: int | None
) -> dict[str, Any]:
    sizes = dict(size=args.size, num_frames=args.frames)
    found = measure(
        root, args.clips, args.pairs, **sizes, resizer=resizer, min_short_side=side
    )
    dataset = build_clips(root, pipeline(args.size, resizer), args.frames, side)
    batches = -(-args.clips // args.batch)
    for workers in args.workers:
        rate = loading_rate(dataset, workers, args.batch, batches)
        found[f'clips/s, {workers} workers'] = rate
    return {'resizer': resizer, 'min short side': side, **found}


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    """Cells as the screen shows them."""
    return {k: f'{v:.2f}' if isinstance(v, float) else v for k, v in row.items()}
