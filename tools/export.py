"""Export a trained backbone to timm's or the official layout, with a model card."""

from __future__ import annotations

import argparse
import sys


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='of the training or of an evaluation')
    parser.add_argument('checkpoint', help='of a training, or any that can be read')
    parser.add_argument('out', help='file to write; the card is OUT.md')
    parser.add_argument(
        '--layout',
        default='timm',
        help='timm (default): names of timm.create_model; official: those of the '
        'program that the config names by checkpoint_source',
    )
    parser.add_argument(
        '--format',
        help='safetensors or pth; default by the ending of OUT, else safetensors',
    )
    parser.add_argument('--source', help='format of the checkpoint, if not recognised')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    args = parse_args(argv)
    from densecorr.apis.export import export_backbone  # slow: torch

    try:
        done = export_backbone(
            args.config,
            args.checkpoint,
            args.out,
            args.layout,
            args.format,
            args.source,
        )
    except (ValueError, KeyError, OSError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    print(f'written  {done.weights}  (names of {done.names})')
    if done.lacks:
        print(f'without  {done.lacks}')
    print(f'card     {done.card}')
    print(f'tensors  {done.fingerprint}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
