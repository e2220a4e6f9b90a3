"""Put packed clips together to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from densecorr.registry import FUNCTIONS

_SHOWN = 4  # clips in an error message


@FUNCTIONS.register_module()
def collate_clips(clips: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack packed clips; configs name it with its scope: ``densecorr.collate_clips``.

    Args:
        clips: results of ``PackClip``.

    Returns:
        ``inputs``: key to tensor ``(b, ...)``; ``data_samples``: list of b dicts.

    Raises:
        ValueError: there is no clip, or the clips differ in keys or in shapes.
    """
    if not clips:
        raise ValueError('collate_clips got no clip; a batch has at least one.')
    keys = list(clips[0]['inputs'])
    samples = [clip['data_samples'] for clip in clips]
    for clip, sample in zip(clips, samples, strict=True):
        if set(clip['inputs']) != set(keys):
            raise ValueError(
                f'clip of {sample.get("video")!r} has inputs '
                f'{sorted(clip["inputs"])}, clip of {samples[0].get("video")!r} has '
                f'{sorted(keys)}. Give all clips of a batch one pipeline.'
            )
    inputs = {}
    for key in keys:
        tensors = [clip['inputs'][key] for clip in clips]
        _check_shapes(key, tensors, samples)
        inputs[key] = torch.stack(tensors)  # (b, ...)
    return dict(inputs=inputs, data_samples=samples)


def _check_shapes(
    key: str, tensors: Sequence[torch.Tensor], samples: Sequence[dict[str, Any]]
) -> None:
    if len({tensor.shape for tensor in tensors}) == 1:
        return
    examples: dict[tuple[int, ...], str] = {}
    for tensor, sample in zip(tensors, samples, strict=True):
        examples.setdefault(tuple(tensor.shape), str(sample.get('video')))
    shown = list(examples.items())[:_SHOWN]
    text = ', '.join(f'{video!r}: {shape}' for shape, video in shown)
    raise ValueError(
        f'{key} of the clips of a batch differ in shape ({text}). End the pipeline in '
        'one size (ClipResize, ClipRandomResizedCrop or a crop), with one number of '
        'frames.'
    )
