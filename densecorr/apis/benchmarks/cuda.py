"""What a CUDA machine reaches: propagation, features, training steps, an evaluation.

Each part is written to the file when it is done, and a part that the file has is not
measured again: long measurements can be cut into pieces.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log

from densecorr.apis.benchmarks.cuda_parts import (
    Meter,
    measure_features,
    measure_machine,
    measure_propagation,
)
from densecorr.apis.benchmarks.end_to_end import write_sequence
from densecorr.apis.benchmarks.train import measure_training_step
from densecorr.apis.benchmarks.train_step import Request
from densecorr.apis.evaluate import evaluate
from densecorr.apis.train import train_config
from densecorr.apis.zoo import read_zoo
from densecorr.compat import versions
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_markdown

PARTS = ('machine', 'propagation', 'features', 'training', 'davis')
# DAVIS-2017 val has 30 sequences and 1,999 frames: sizes of its frames, and how many.
_SIZES = {(480, 854): 28, (480, 910): 1, (480, 1152): 1}
_FRAMES, _TOY_FRAMES = 1999, 6
_EVALUATED = ('configs/test/crw_res18.py', 'configs/test/dino_vits16.py')
_TOY_TRAINING = 'configs/train/crw_res18_spriteworld.py'
_GB = 1e9


def measure_part(name: str, done: dict[str, Any], device: str, toy: bool) -> Any:
    """One of :data:`PARTS`; ``done`` has those before it."""
    meter = Meter(device, repeats=2 if toy else 10)
    if name == 'machine':
        return measure_machine(meter, toy)
    if name == 'propagation':
        return measure_propagation(meter, toy, done['machine'])
    if name == 'features':
        return measure_features(meter, toy)
    if name == 'training':
        return measure_trainings(device, toy)
    return measure_davis(device, toy)


def measure_trainings(device: str, toy: bool) -> list[dict[str, Any]]:
    """A step of every training config at its published batch, with and without AMP."""
    configs = [training.config for training in read_zoo().trainings]
    rows = []
    for config in [_TOY_TRAINING] if toy else configs:
        published = train_config(config, {}).train_dataloader.batch_size
        for amp in (None, 'bfloat16'):
            batch = 1 if toy else published
            request = Request(
                config, batch, amp=amp, device=device, iters=1 + 4 * (not toy)
            )
            row: dict[str, Any] = dict(config=config, amp=amp, batch=batch)
            try:
                rows.append({**row, **measure_training_step(request, [batch])})
            except RuntimeError as error:  # out of memory is a result, too
                rows.append({**row, 'failed': str(error).strip().splitlines()[-1]})
            print_log(f'{Path(config).name}, batch {batch}, amp {amp}: done')
    return rows


def measure_davis(device: str, toy: bool) -> list[dict[str, Any]]:
    """Evaluations of generated sequences with the sizes and counts of DAVIS-2017 val.

    The frames stay in ``work_dirs/benchmark_davis`` for the next time; an interrupted
    evaluation goes on with the videos that it lacks, and its seconds are left out.
    """
    folder = Path(
        'work_dirs/benchmark_davis_toy' if toy else 'work_dirs/benchmark_davis'
    )
    frames = write_davis(folder / 'DAVIS', toy)
    rows = []
    for config in _EVALUATED[:1] if toy else _EVALUATED:
        for precision in ('float32', 'bfloat16'):
            out = folder / f'{Path(config).stem}_{precision}'
            resumed = (out / 'run.json').exists() or any(out.glob('records/*'))
            start = time.perf_counter()
            evaluate(
                config,
                'davis',
                'random',
                out,
                cfg_options={
                    'new:test_dataset.root': str(folder / 'DAVIS'),
                    'limits.precision': precision,
                },
                device=device,
                yardsticks='none',
                votes=False,
            )
            seconds = None if resumed else time.perf_counter() - start
            shutil.rmtree(out)
            row = dict(config=config, precision=precision, frames=frames)
            rows.append(dict(row, seconds=seconds))
    return rows


def write_davis(root: Path, toy: bool) -> int:
    """Write the generated sequences that are not there yet; the number of frames."""
    sizes = [size for size, count in _SIZES.items() for _ in range(count)]
    if toy:
        sizes = [(48, 64), (48, 80)]
    total = _TOY_FRAMES if toy else _FRAMES
    for number, size in enumerate(sizes):
        count = total // len(sizes) + (number < total % len(sizes))
        name = f'generated-{number:02d}'
        last = root / 'Annotations/480p' / name / f'{count - 1:05d}.png'
        if not last.exists():
            write_sequence(root, count, size, name)
    return total


def table(name: str, found: Any) -> str:
    """A part as a table in Markdown."""
    if isinstance(found, dict):
        found = [found]
    columns = list(dict.fromkeys(key for row in found for key in row if key in _SHOWN))
    rows = [
        [_SHOWN[key](row[key]) if key in row else '' for key in columns]
        for row in found
    ]
    return f'{name}\n\n{format_markdown(rows, columns)}\n'


def _milliseconds(value: float | None) -> str:
    return 'interrupted' if value is None else f'{1000 * value:.3g} ms'


def _size(value: float) -> str:
    return f'{value / _GB:.3g} GB'


def _share(value: float) -> str:
    return f'{100 * value:.3g} %'


def _rate(value: float) -> str:
    return f'{value / 1e12:.3g} T/s'


_SHOWN: dict[str, Callable[[Any], str]] = dict(
    copied_bytes_per_s=_rate,
    float32_flops=_rate,
    bfloat16_flops=_rate,
    case=str,
    network=str,
    config=lambda value: f'`{Path(value).name}`',
    method=str,
    precision=str,
    amp=str,
    batch=str,
    frames=str,
    seconds=_milliseconds,
    clips_per_second=lambda value: f'{value:.3g}',
    peak_bytes=_size,
    bytes=_size,
    of_copies=_share,
    of_products=_share,
    largest_difference=lambda value: f'{value:.1e}',
    failed=str,
)


def describe(device: str) -> dict[str, Any]:
    """The machine and the versions that the figures belong to."""
    found: dict[str, Any] = dict(device=device, versions=versions())
    if device == 'cuda':
        found |= dict(name=torch.cuda.get_device_name(), cuda=torch.version.cuda)
        tool = shutil.which('nvidia-smi')
        if tool:
            query = [tool, '--query-gpu=driver_version', '--format=csv,noheader']
            done = subprocess.run(query, capture_output=True, text=True, check=False)
            found['driver'] = done.stdout.strip().splitlines()[0] if done.stdout else ''
    return found


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py cuda', description=__doc__)
    parser.add_argument(
        '--out', required=True, help='JSON file; goes on where it ended'
    )
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=PARTS)
    parser.add_argument(
        '--toy', action='store_true', help='small sizes, on the CPU, too'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure what the file lacks, and print all of it."""
    args = parse_args(argv)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cpu' and not args.toy:
        print_log('There is no CUDA device here. --toy runs every part at small sizes.')
        return 2
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    out, machine = Path(args.out), {**describe(device), 'toy': args.toy}
    results = dict(machine=machine, parts={})
    if out.exists():
        results = json.loads(out.read_text(encoding='utf-8'))
        if results['machine'] != machine:
            print_log(
                f'{out} was measured on {results["machine"]}, this is {machine}. Give '
                'another file to --out.'
            )
            return 2
    parts = results['parts']
    for name in _needed(args.parts):
        if name not in parts:
            parts[name] = measure_part(name, parts, device, args.toy)
            write_atomic(out, json.dumps(results, indent=2) + '\n')
        print_log(f'\n{table(name, parts[name])}')
    return 0


def _needed(asked: Sequence[str]) -> list[str]:
    """Parts in order, with what they compare with."""
    return [name for name in PARTS if name in asked or name == 'machine']
