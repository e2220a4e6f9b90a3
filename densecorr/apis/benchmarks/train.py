"""Cost of a training step at the published batch: seconds, clips a second, memory.

On a GPU the step is measured at the batch of the config. On the CPU it is measured at
small batches, each in a fresh process, and a line through them gives the other.
Memory is what a step takes above the built model, at its peak: clips, activations,
gradients and the state of the optimiser.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import DictAction
from mmengine.logging import print_log

from densecorr.apis.benchmarks.train_step import (
    Request,
    measure_in_fresh_process,
    step_config,
)
from densecorr.apis.marked_page import read_marked, replace_marked
from densecorr.apis.train import train_config
from densecorr.utils.files import write_atomic
from densecorr.utils.tables import format_markdown

COLUMNS = (
    'Config',
    'Batch of a process',
    'Options',
    'Seconds a step',
    'Samples a second',
    'Memory above the model',
    'How',
)
_MARK = '<!-- cost: tools/benchmark.py train -->'
_BATCHES = (1, 2, 4)
_KEYS = 3  # columns that tell rows apart
_LEAST = 3  # batches of a line whose error can be told
_GB = 1e9


def extrapolate(
    sizes: Sequence[float], values: Sequence[float], size: float
) -> tuple[float, float]:
    """A value on the least-squares line, and how sure it is.

    Args:
        sizes: where it was measured, at least three that differ.
        values: what was measured there.
        size: where the value is asked for.

    Returns:
        the value; and the largest distance from it, at ``size``, of a line through two
        of the points.

    Raises:
        ValueError: fewer sizes.
    """
    if len({*sizes}) < _LEAST:
        raise ValueError(
            f'batches are {list(sizes)}; give at least {_LEAST} different ones, so '
            'that it shows how far they are from a line.'
        )
    slope, start = np.polyfit(sizes, values, 1)
    value = start + slope * size
    points = list(zip(sizes, values, strict=True))
    lines = [
        y0 + (y1 - y0) / (x1 - x0) * (size - x0)
        for (x0, y0), (x1, y1) in itertools.combinations(points, 2)
        if x1 != x0
    ]
    return float(value), float(max(abs(line - value) for line in lines))


def measure_training_step(
    request: Request, batches: Sequence[int] | None = None
) -> dict[str, Any]:
    """Cost of a step at a batch, measured there or extrapolated.

    Args:
        request: with the batch that is asked for.
        batches: that are measured, each in a fresh process; None takes the asked one on
            a GPU, and 1, 2 and 4 on the CPU.

    Returns:
        ``config``, ``batch``, ``seconds`` of a step, ``clips_per_second``, ``bytes``
        above the model, ``seconds_error`` and ``bytes_error`` (0 where measured),
        ``how``, ``device``, ``options`` and the ``measured`` batches.

    Raises:
        KeyError: see :func:`densecorr.apis.benchmarks.train_step.step_config`.
        ValueError: likewise; or too few batches.
        RuntimeError: a measuring process failed, for example for lack of memory.
    """
    step_config(request)  # errors before anything is measured
    on_gpu = (request.device or _default_device()) == 'cuda'
    batches = batches or ((request.batch,) if on_gpu else _BATCHES)
    if request.batch not in batches:
        extrapolate(batches, batches, request.batch)  # too few are refused
    found = [measure_in_fresh_process(replace(request, batch=n)) for n in batches]
    place = torch.cuda.get_device_name() if on_gpu else 'the CPU'
    result: dict[str, Any] = dict(
        config=request.config,
        batch=request.batch,
        options=_options(request),
        device='cuda' if on_gpu else 'cpu',
        threads=request.threads,
        measured=found,
    )
    for name in ('seconds', 'bytes'):
        values = {each['batch']: each[name] for each in found}
        if request.batch in values:
            value, error, how = values[request.batch], 0.0, f'measured on {place}'
        else:
            line = list(values), list(values.values())
            value, error = extrapolate(*line, request.batch)
            names = ', '.join(map(str, values))
            how = f'extrapolated from batches {names} on {place}'
        result |= {name: value, f'{name}_error': error, 'how': how}
    result['clips_per_second'] = request.batch / result['seconds']
    return result


def row(result: Mapping[str, Any]) -> list[str]:
    """Cells of a result under :data:`COLUMNS`."""
    return [
        f'`{Path(result["config"]).name}`',
        str(result['batch']),
        ' '.join(f'`{option}`' for option in result['options']),
        _with_error(result['seconds'], result['seconds_error'], 's'),
        f'{result["clips_per_second"]:.3g}',
        _with_error(result['bytes'] / _GB, result['bytes_error'] / _GB, 'GB'),
        result['how'],
    ]


def update_page(page: str | Path, result: Mapping[str, Any]) -> str:
    """Put a result into the marked table of a page; returns the new text.

    A row of the same config, batch and options is replaced.

    Raises:
        ValueError: the page lacks the marks.
    """
    page = Path(page)
    text = page.read_text('utf-8')
    old = read_marked(text, _MARK, page)
    lines = [line for line in old.splitlines() if line.startswith('| `')]
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines]
    rows = {tuple(each[:_KEYS]): each for each in cells}
    new = row(result)
    rows[tuple(new[:_KEYS])] = new
    table = format_markdown(rows.values(), COLUMNS)
    text = replace_marked(text, _MARK, table, page)
    write_atomic(page, text)
    return text


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """Options of the benchmark."""
    parser = argparse.ArgumentParser(prog='benchmark.py train', description=__doc__)
    parser.add_argument('config', help='of a training')
    parser.add_argument(
        '--batches', type=int, nargs='+', help='that are measured; on the CPU 1 2 4'
    )
    parser.add_argument('--batch', type=int, help="asked for; default the config's")
    parser.add_argument('--iters', type=int, default=2, help='measured of a batch')
    parser.add_argument('--amp', choices=['bfloat16', 'float16'])
    parser.add_argument(
        '--activation-checkpointing', nargs='+', metavar='MODULE', default=None
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument(
        '--own-data', action='store_true', help="clips of the config's dataset"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, metavar='KEY=VALUE'
    )
    parser.add_argument('--out', help='JSON file')
    parser.add_argument(
        '--pages', nargs='+', default=[], help='docs pages whose table gets the row'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and print a table of one row."""
    args = parse_args(argv)
    published = train_config(args.config, args.cfg_options).train_dataloader.batch_size
    request = Request(
        config=args.config,
        batch=published if args.batch is None else args.batch,
        options=args.cfg_options,
        amp=args.amp,
        checkpointing=args.activation_checkpointing,
        iters=args.iters,
        device=args.device,
        threads=args.threads,
        own_data=args.own_data,
    )
    result = measure_training_step(request, args.batches)
    print_log(f'\n{format_markdown([row(result)], COLUMNS)}')
    if args.out:
        write_atomic(args.out, json.dumps(result, indent=2) + '\n')
    for page in args.pages:
        update_page(page, result)
    return 0


def _default_device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def _options(request: Request) -> list[str]:
    """What differs from the config, as it is written on the command line."""
    options = [f'{key}={value}' for key, value in request.options.items()]
    if request.amp:
        options.append(f'--amp {request.amp}')
    if request.checkpointing:
        names = ' '.join(request.checkpointing)
        options.append(f'--activation-checkpointing {names}')
    return options


def _with_error(value: float, error: float, unit: str) -> str:
    if not error:
        return f'{value:.3g} {unit}'
    return f'{value:.3g} ± {error:.2g} {unit}'
