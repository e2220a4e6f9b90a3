"""Measure: python tools/benchmark.py {propagation,features,measures,...} [options]."""

from __future__ import annotations

import importlib
import sys

from densecorr.utils.suggest import suggest

PARTS = (
    'propagation',
    'memory',
    'features',
    'measures',
    'end_to_end',
    'protocols',
    'spriteworld',
    'sweep',
    'data',
    'dul_loss',
    'timet',
    'smtc',
    'cuda',
    'segmentation',
    'correlation',
    'train',
)


def main(argv: list[str] | None = None) -> int:
    """Hand the arguments to the part that was named."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ('-h', '--help'):
        print(__doc__)
        return 0
    if argv[0] not in PARTS:
        print(f'benchmark has no part {argv[0]!r}. {suggest(argv[0], PARTS)}')
        return 2
    part = importlib.import_module(f'densecorr.apis.benchmarks.{argv[0]}')
    return part.main(argv[1:])


if __name__ == '__main__':
    sys.exit(main())
