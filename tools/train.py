"""Train a method."""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='for example configs/train/crw_res18_k400.py')
    parser.add_argument('--work-dir', help='default: work_dirs/<config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from the newest checkpoint of the work dir, or from this one',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='remove the checkpoints of --work-dir'
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='bfloat16',
        choices=['bfloat16', 'float16'],
        help='train in mixed precision (bfloat16, unless float16 is named)',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the number of clips in an iteration',
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
    from densecorr.apis.train import train  # slow: torch
    from densecorr.engine.launch import PeerError
    from densecorr.engine.look_ahead import VideoError
    from densecorr.models.methods.base import NonFiniteLossError
    from densecorr.utils.replaced_clips import TooManyCorruptError

    failures = (ValueError, TypeError, KeyError, OSError, VideoError, PeerError)
    try:
        content = train(
            args.config,
            args.work_dir,
            resume=args.resume,
            overwrite=args.overwrite,
            cfg_options=args.cfg_options,
            amp=args.amp,
            auto_scale_lr=args.auto_scale_lr,
            device=args.device,
            threads=args.threads,
            tf32=args.tf32,
        )
    except (*failures, NonFiniteLossError, TooManyCorruptError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('stopped; --resume goes on from the last checkpoint', file=sys.stderr)
        return 130
    if content['is_first']:
        print(f'{content["iterations"]} iterations, last: {content["checkpoint"]}')
        for entry in content['validation']:
            words = [f'{k} {100 * v:.1f} %' for k, v in entry['metrics'].items()]
            print(f'  after {entry["iter"]:>7} iterations: {", ".join(words)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
