"""Evaluate many settings of a protocol in one pass over the videos."""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='for example configs/test/res18_d8.py')
    parser.add_argument('task', help='a task of the config, for example davis')
    parser.add_argument(
        'checkpoint', help='path, https address, timm:NAME, torchvision:NAME, zoo, '
        'zoo:NAME or random'
    )  # fmt: skip
    for name, what, example in (
        ('topk', 'keys per query', '5,7,10,15'),
        ('temperature', 'of the softmax', '0.05,0.07,0.1'),
        ('radius', "of the window in cells of the grid, or 'none'", '6,12,none'),
        ('context', 'recent frames', '5,10,20'),
    ):
        parser.add_argument(
            f'--{name}',
            metavar=example,
            help=f"{what}; default: the protocol's own",
        )
    parser.add_argument('--out', help='default: work_dirs/<config>/<task>-sweep')
    parser.add_argument('--protocol', help='name or file; default: the config has one')
    parser.add_argument(
        '--neighbours',
        type=int,
        help='kept per query and context frame (64); more prove more, and cost more',
    )
    parser.add_argument('--source', help='format of the checkpoint, if not recognised')
    parser.add_argument(
        '--allow-unsafe',
        action='store_true',
        help='unpickle whatever the checkpoint holds, which may run any code',
    )
    parser.add_argument('--data', metavar='ROOT', help='folder of the dataset')
    parser.add_argument('--sequences', nargs='+', help='only these videos')
    parser.add_argument('--max-frames', type=int, help='only the first frames of each')
    parser.add_argument(
        '--overwrite', action='store_true', help='remove earlier results in --out'
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument(
        '--threads', type=int, help='per process; default: cores / processes'
    )
    parser.add_argument('--tf32', action='store_true', help='TF32 products on a GPU')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='change known keys of the config; new:KEY=VALUE adds one',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    args = parse_args(argv)
    from densecorr.apis.evaluate import options_of_dataset  # slow: torch
    from densecorr.apis.sweep import format_sweep, sweep
    from densecorr.engine.launch import PeerError
    from densecorr.engine.look_ahead import VideoError
    from densecorr.propagation.sweep import NEIGHBOURS

    options = options_of_dataset(args.data, args.sequences, args.max_frames)
    values = {
        name: getattr(args, name)
        for name in ('context', 'radius', 'topk', 'temperature')
    }
    try:
        content = sweep(
            args.config,
            args.task,
            args.checkpoint,
            values,
            args.out,
            neighbours=NEIGHBOURS if args.neighbours is None else args.neighbours,
            protocol=args.protocol,
            cfg_options={**options, **args.cfg_options},
            source=args.source,
            allow_unsafe=args.allow_unsafe,
            overwrite=args.overwrite,
            device=args.device,
            threads=args.threads,
            tf32=args.tf32,
        )
    except (ValueError, TypeError, KeyError, OSError, VideoError, PeerError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            'stopped; finished videos are kept, the same command goes on',
            file=sys.stderr,
        )
        return 130
    if content['is_first']:
        print(format_sweep(content))
    return 0


if __name__ == '__main__':
    sys.exit(main())
