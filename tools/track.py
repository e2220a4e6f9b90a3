"""Track objects or points through a clip of your own: CLIP --mask | --points --out."""

from __future__ import annotations

import argparse
import sys

from mmengine.config import DictAction

_STOPPED = 130  # exit status after Ctrl-C, as shells have it


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('clip', help='video file, GIF or folder of frames')
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument(
        '--mask',
        metavar='PNG',
        help='label map of the first frame: palette or grey PNG, 0 = background',
    )
    given.add_argument(
        '--points',
        metavar='CSV',
        help='columns frame,id,x,y; pixels, the centre of the first one is (0, 0)',
    )
    parser.add_argument('--out', required=True, help='folder of the results')
    parser.add_argument(
        '--model',
        help='config, timm name, zoo:NAME or checkpoint file; default: DINO ViT-S/16 '
        'from timm',
    )
    parser.add_argument(
        '--checkpoint',
        help='path, https address, timm:NAME, torchvision:NAME, zoo, zoo:NAME or '
        'random',
    )
    parser.add_argument('--protocol', help='name or file; default: the config has one')
    parser.add_argument(
        '--frame', type=int, default=0, help='to which the label map belongs'
    )
    parser.add_argument('--max-frames', type=int, help='only so many frames')
    parser.add_argument('--fps', type=float, help='of a folder of frames; default 25')
    parser.add_argument('--overlay', choices=['mp4', 'gif', 'none'], default='mp4')
    parser.add_argument(
        '--overwrite', action='store_true', help='remove earlier results in --out'
    )
    parser.add_argument('--source', help='format of the checkpoint, if not recognised')
    parser.add_argument(
        '--allow-unsafe',
        action='store_true',
        help='unpickle whatever the checkpoint holds, which may run any code',
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'])
    parser.add_argument('--threads', type=int, help='default: all cores')
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
    """Track; returns the exit status."""
    options = vars(parse_args(argv))
    from densecorr.apis import track  # slow: torch
    from densecorr.engine.look_ahead import VideoError

    options['labels'] = options.pop('mask')
    if options['model'] is None:
        del options['model']
    try:
        result = track(options.pop('clip'), options.pop('out'), **options)
    except (ValueError, TypeError, KeyError, OSError, VideoError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f'{type(error).__name__}: {text}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _STOPPED
    print(f'{result.num_frames} frames, {len(result.ids)} tracked: {result.table}')
    if result.overlay:
        print(f'to look at: {result.overlay}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
