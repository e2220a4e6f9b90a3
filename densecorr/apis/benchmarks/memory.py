"""Peak memory of the operator in a fresh process, against its contract."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from densecorr.ops.keys import Keys
from densecorr.ops.plan import parse_bytes
from densecorr.ops.propagate import propagate
from densecorr.ops.selection import Rule
from densecorr.ops.window import Window

_WARM = 16  # side of the map that loads libraries and work spaces before measuring
SHAPES = (
    # h, w, channels, frames, radius, topk, objects, bound
    (60, 107, 256, 21, 12, 10, 2, '200MB'),
    (60, 107, 512, 21, 12, 10, 61, '200MB'),
    (120, 214, 256, 4, 35, 10, 2, '200MB'),
    (30, 53, 384, 8, 12, 5, 2, '60MB'),
    (120, 214, 256, 8, 12, 10, 2, '60MB'),
)


def process_bytes(name: str) -> int:
    """A line of this process's memory status: ``'VmRSS'`` now, ``'VmHWM'`` its peak.

    Raises:
        OSError: the system does not tell.
    """
    text = Path('/proc/self/status').read_text()
    found = re.search(rf'^{name}:\s+(\d+) kB', text, re.MULTILINE)
    if found is None:
        raise OSError(f'this system does not report {name}; the peak cannot be read.')
    return int(found.group(1)) * 1024


def restart_peak() -> None:
    """Let this process's peak count from now on."""
    Path('/proc/self/clear_refs').write_text('5')


def in_fresh_process(module: str, value: Any) -> Any:
    """What a module's ``--child`` writes as the last line of its output, in JSON.

    Args:
        module: dotted name; ``python -m MODULE --child VALUE`` is run.
        value: that JSON can hold.

    Raises:
        RuntimeError: the process failed; has the end of its messages.
    """
    command = [sys.executable, '-m', module, '--child', json.dumps(value)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f'the measuring process failed: {done.stderr[-2000:]}')
    return json.loads(done.stdout.strip().splitlines()[-1])


def _run(
    h: int, w: int, c: int, m: int, radius: int, k: int, o: int, bound: str
) -> None:
    keys = torch.empty(m, h, w, c).fill_(0.1)
    for frame in keys:  # in place: no second copy of the features ever exists
        for row in frame:
            row.normal_()
            row /= row.norm(dim=-1, keepdim=True)
    labels = torch.empty(m * h * w, o).fill_(0.5)
    propagate(
        keys[-1],
        Keys(keys, (1,) * m, (1, *[0] * (m - 1))),
        labels,
        Window('circle', radius, False),
        Rule(k, 0.05),
        max_memory=bound,
    )


def measure(shape: list) -> dict[str, int]:
    """Bytes that the operator allocated beyond features and labels (this process)."""
    torch.manual_seed(0)
    h, w, c, m, radius, k, o, bound = shape
    _run(_WARM, _WARM, c, m, min(radius, _WARM // 2), k, o, bound)
    before = process_bytes('VmRSS')
    restart_peak()
    _run(h, w, c, m, radius, k, o, bound)
    given = 4 * m * h * w * (c + o)
    return dict(used=process_bytes('VmHWM') - before - given, bound=parse_bytes(bound))


def measure_in_fresh_process(shape: list | tuple) -> dict[str, int]:
    """:func:`measure` in a new interpreter."""
    return in_fresh_process('densecorr.apis.benchmarks.memory', list(shape))


def main(argv: list[str] | None = None) -> int:
    """Print the peak of every shape beside its bound; 1 if one is exceeded by 10 %."""
    parser = argparse.ArgumentParser(
        prog='benchmark.py memory', description=main.__doc__
    )
    parser.add_argument('--child', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        torch.set_num_threads(1)
        sys.stdout.write(json.dumps(measure(json.loads(args.child))) + '\n')
        return 0
    failed = False
    for shape in SHAPES:
        found = measure_in_fresh_process(shape)
        share = found['used'] / found['bound']
        failed |= share > 1.1
        h, w, c, m, radius, _, o, bound = shape
        sys.stdout.write(
            f'{h}x{w} C={c} frames={m} radius={radius} objects={o} bound={bound}: '
            f'{found["used"] / 1e6:.0f} MB, {share:.0%}\n'
        )
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
