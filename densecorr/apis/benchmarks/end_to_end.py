"""Time of an evaluation against its features and its propagation measured alone.

The evaluation decodes JPEGs, resizes, tracks, writes PNGs and scores, as
``tools/test.py`` does. Alone means: the backbone on images that are ready, and the
propagator on features that are ready. Both are measured in turn.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.logging import print_log

from densecorr.apis.config import resolve, tracker_config
from densecorr.engine.records import ResultFolder
from densecorr.engine.test_loop import VideoTestLoop
from densecorr.registry import LOOPS, MODELS
from densecorr.structures import VideoSample
from densecorr.utils.data_info import find_root, load_data_info
from densecorr.utils.images import write_label_map

TARGET_RATIO = 1.3
_SEQUENCE = 'car-shadow'
_SIZE = (480, 854)
_GENERATED_OBJECTS = 2


def write_sequence(
    root: Path,
    num_frames: int,
    size: tuple[int, int] = _SIZE,
    name: str = _SEQUENCE,
) -> None:
    """Add a sequence to a DAVIS tree: textured discs move over a textured ground."""
    rng = np.random.default_rng(0)
    height, width = size
    texture = rng.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    ground = cv2.resize(texture, (width, height), interpolation=cv2.INTER_CUBIC)
    skin = np.roll(ground, height // 3, axis=0)[..., ::-1]
    rows, cols = np.mgrid[:height, :width]
    images = root / 'JPEGImages/480p' / name
    images.mkdir(parents=True, exist_ok=True)
    for t in range(num_frames):
        frame, labels = ground.copy(), np.zeros(size, np.uint8)
        for number in range(1, _GENERATED_OBJECTS + 1):
            row = height * number // (_GENERATED_OBJECTS + 1)
            col = (width // 4 + 6 * number * t) % width
            inside = (rows - row) ** 2 + (cols - col) ** 2 < (height // 8) ** 2
            frame[inside] = np.roll(skin, 6 * number * t, axis=1)[inside]
            labels[inside] = number
        cv2.imwrite(str(images / f'{t:05d}.jpg'), frame)
        write_label_map(root / 'Annotations/480p' / name / f'{t:05d}.png', labels)
    names = root / 'ImageSets/2017/val.txt'
    names.parent.mkdir(parents=True, exist_ok=True)
    known = names.read_text(encoding='utf-8').split() if names.exists() else []
    text = ''.join(f'{each}\n' for each in sorted({*known, name}))
    names.write_text(text, encoding='utf-8')


def build_loop(config: str, root: str | None, num_frames: int, out: str) -> Any:
    """A test loop over the first frames of one sequence, without records."""
    options = {
        'new:test_dataset.root': root,
        'new:test_dataset.sequences': [_SEQUENCE],
        'new:test_dataset.max_frames': num_frames,
    }
    cfg = resolve(config, 'davis', None, options)
    model = MODELS.build(tracker_config(cfg)).eval()
    runner = SimpleNamespace(model=model, call_hook=lambda *a, **k: None)
    dataloader = dict(dataset=cfg.test_dataset)
    loop: VideoTestLoop = LOOPS.build(
        dict(type='VideoTestLoop', out_dir=out),
        default_args=dict(
            runner=runner, dataloader=dataloader, evaluator=cfg.test_evaluator
        ),
    )
    loop.folder = ResultFolder(out)
    return loop


class Clock:
    """Wall and CPU seconds since it was made or read."""

    def __init__(self) -> None:
        self._start = (time.perf_counter(), time.process_time())

    def read(self) -> np.ndarray:
        """``(wall, cpu)`` seconds; starts anew."""
        now = (time.perf_counter(), time.process_time())
        seconds = np.subtract(now, self._start)
        self._start = now
        return seconds


@torch.inference_mode()
def measure_alone(tracker: Any, video: VideoSample) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of the backbone and of the propagator on inputs that are ready."""
    images = [tracker.inputs(video.read_frame(i)) for i in range(video.num_frames)]
    clock = Clock()
    feats = [tracker.backbone(image[None])[-1][0] for image in images]
    features = clock.read()
    labels = first_labels(tracker, video, tuple(feats[0].shape[1:]))
    clock.read()
    tracker.propagator.start()
    for index, maps in enumerate(feats):
        tracker.propagator.step(maps, None if index else labels)
    return features, clock.read()


def first_labels(tracker: Any, video: VideoSample, grid: tuple[int, ...]) -> Any:
    """Soft labels of frame 0, ``(o, h, w)``."""
    label_map = video.read_labels(0).indices
    ids = sorted({0, *np.unique(label_map).tolist()})
    plan = tracker.inputs.plan(*video.size)
    return tracker.protocol.label_codec().to_soft(label_map, ids, plan, grid)


def measure(loop: Any, pairs: int) -> dict[str, float]:
    """Medians of evaluation, features and propagation, measured in turn.

    Returns:
        wall seconds of the three, ``ratio`` of evaluation to the sum of the others, and
        ``cpu_ratio``, the same of CPU seconds, which other programs disturb less.
    """
    video, seconds = loop.dataset[0], []
    for _ in range(pairs + 1):
        parts = measure_alone(loop.runner.model, video)
        clock = Clock()
        loop.run_video(video)
        seconds.append([clock.read(), *parts])
    whole, features, propagation = np.median(seconds[1:], axis=0)  # (wall, cpu) each
    ratio = whole / (features + propagation)
    return dict(
        evaluation=float(whole[0]),
        features=float(features[0]),
        propagation=float(propagation[0]),
        ratio=float(ratio[0]),
        cpu_ratio=float(ratio[1]),
    )


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(
        prog='benchmark.py end_to_end', description=__doc__
    )
    parser.add_argument(
        '--config', nargs='+', default=['configs/test/crw_res18.py'], help='to measure'
    )
    parser.add_argument('--frames', type=int, default=20)
    parser.add_argument('--pairs', type=int, default=1, help='after a warm-up')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--data', metavar='ROOT', help='DAVIS; else found or generated')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and report; 1 if the evaluation misses its target."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(0)
    torch.manual_seed(0)
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        root = args.data or find_sequence()
        if root is None:
            root = str(Path(folder) / 'DAVIS')
            write_sequence(Path(root), args.frames)
        for config in args.config:
            loop = build_loop(config, root, args.frames, f'{folder}/out')
            found = measure(loop, args.pairs)
            reached = found['ratio'] <= TARGET_RATIO
            missed |= not reached
            print_log(
                f'{Path(config).stem}, {args.frames} frames of {_SEQUENCE} at 480p, '
                f'{args.threads} thread(s): evaluation {found["evaluation"]:.2f} s, '
                f'features {found["features"]:.2f} s, propagation '
                f'{found["propagation"]:.2f} s, ratio {found["ratio"]:.3f} (target '
                f'{TARGET_RATIO}: {"reached" if reached else "MISSED"}), of CPU time '
                f'{found["cpu_ratio"]:.3f}'
            )
    return int(missed)


def find_sequence() -> str | None:
    """A DAVIS root that holds the sequence, if the default roots have one."""
    try:
        root = find_root(load_data_info('davis'))
    except FileNotFoundError:
        return None
    return str(root) if (root / 'JPEGImages/480p' / _SEQUENCE).is_dir() else None
