"""Evaluate a checkpoint on a task of a config."""

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
        'checkpoint',
        help='path, https address, timm:NAME, torchvision:NAME, zoo (weights of the '
        'config in docs/zoo.md), zoo:NAME or random',
    )
    parser.add_argument('--out', help='default: work_dirs/<config>/<task>')
    parser.add_argument('--protocol', help='name or file; default: the config has one')
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
        '--official',
        action='store_true',
        help='score with the package davis2017 as well and report the difference',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='remove earlier results in --out'
    )
    _add_outputs(parser)
    _add_machine(parser)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='change known keys of the config; new:KEY=VALUE adds one',
    )
    return parser.parse_args(argv)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """What is written besides the predictions and the score."""
    parser.add_argument(
        '--dry-run',
        nargs='?',
        const='timed',
        choices=['timed', 'fast'],
        help='frames, GFLOP, estimated time and memory; writes nothing. '
        "'fast' runs no frame and so knows no time",
    )
    parser.add_argument(
        '--yardsticks',
        choices=['all', 'cheap', 'none'],
        default='all',
        help='what the score is compared with, measured after it: ceiling and copied '
        'labels (cheap), raw colours and random initialisation too (all, the default)',
    )
    parser.add_argument(
        '--no-votes',
        action='store_true',
        help='do not keep which patches decided the worst frame of each video',
    )
    parser.add_argument(
        '--out-layout',
        choices=['dul'],
        help='also write <layer>_vos/ and <layer>_vis/ as dense-ulearn-vos does',
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    """What is computed with."""
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument(
        '--threads', type=int, help='per process; default: cores / processes'
    )
    parser.add_argument('--tf32', action='store_true', help='TF32 products on a GPU')


def main(argv: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    args = parse_args(argv)
    from densecorr.apis.dry_run import estimate, format_estimate  # slow: torch
    from densecorr.apis.evaluate import evaluate, options_of_dataset
    from densecorr.apis.report import format_result
    from densecorr.apis.yardsticks import format_yardsticks
    from densecorr.engine.launch import PeerError
    from densecorr.engine.look_ahead import VideoError

    options = options_of_dataset(args.data, args.sequences, args.max_frames)
    if args.official:
        options['new:test_evaluator.0.official'] = True
    options.update(args.cfg_options)
    common = dict(
        protocol=args.protocol,
        cfg_options=options,
        source=args.source,
        allow_unsafe=args.allow_unsafe,
        device=args.device,
        threads=args.threads,
        tf32=args.tf32,
    )
    run = (args.config, args.task, args.checkpoint)
    try:
        if args.dry_run:
            timed = args.dry_run == 'timed'
            print(format_estimate(estimate(*run, timed=timed, **common)))
            return 0
        extras = dict(
            yardsticks=args.yardsticks,
            votes=not args.no_votes,
            out_layout=args.out_layout,
        )
        content = evaluate(*run, args.out, overwrite=args.overwrite, **extras, **common)
    except (ValueError, TypeError, KeyError, OSError, VideoError, PeerError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    if content['is_first']:
        if content['yardsticks']:
            print(format_yardsticks(content))
        print(format_result(content))
    return 0


if __name__ == '__main__':
    sys.exit(main())
