"""Make tensors of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from densecorr.datasets.transforms.base import ClipTransform
from densecorr.registry import TRANSFORMS

_META = ('video', 'frame_indices', 'epoch', 'index', 'seed', 'replaced')


@TRANSFORMS.register_module()
class PackClip(ClipTransform):
    """The last step: tensors for the method, everything else beside them.

    Reads ``frames``, ``keys`` and ``frame_keys``, and what there is of ``video``,
    ``frame_indices``, ``epoch``, ``index``, ``seed`` and ``replaced``. Frames stay
    uint8 (or floats, where a transform made them); the method normalises them.

    Args:
        keys: further arrays that become tensors of the same shape.
        frame_keys: further frames that become tensors with channels first.
    """

    def __init__(
        self, keys: Sequence[str] = (), frame_keys: Sequence[str] = ()
    ) -> None:
        self.keys, self.frame_keys = tuple(keys), ('frames', *frame_keys)

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        """See :meth:`apply`; nothing is drawn."""
        return self.apply(sample)

    def apply(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Pack a sample.

        Returns:
            ``inputs``: dict with ``frames``, a tensor ``(t, 3, H, W)`` or
            ``(t, n, 3, p, p)``, and the tensors of ``keys`` and ``frame_keys``;
            ``data_samples``: dict of the rest.

        Raises:
            KeyError: the sample has no ``frames``, or not all of the others.
        """
        missing = [key for key in (*self.frame_keys, *self.keys) if key not in sample]
        if missing:
            raise KeyError(
                f'PackClip misses {missing} in a sample with {sorted(sample)}. Name '
                'only keys that the dataset or the transforms before it add.'
            )
        inputs = {key: channels_first(sample[key]) for key in self.frame_keys}
        for key in self.keys:
            inputs[key] = torch.from_numpy(np.array(sample[key]))
        meta = {key: sample[key] for key in _META if key in sample}
        return dict(inputs=inputs, data_samples=meta)


def channels_first(frames: np.ndarray | Sequence[np.ndarray]) -> Tensor:
    """``(..., H, W, 3)`` images, or a list of ``(H, W, 3)``, with channels first.

    Returns:
        ``(..., 3, H, W)`` of the same type, contiguous, with memory of its own.

    Raises:
        ValueError: the frames of a list differ in size.
    """
    shapes = {frame.shape for frame in frames}
    if len(shapes) > 1:
        raise ValueError(
            f'frames of a clip have shapes {sorted(shapes)}. Bring them to one size by '
            'ClipResize or ClipRandomResizedCrop.'
        )
    *more, height, width, _ = frames[0].shape
    lead = (len(frames), *more)
    packed = np.empty((*lead, 3, height, width), frames[0].dtype)
    for index in np.ndindex(*lead):
        image = frames[index[0]][index[1:]]
        cv2.split(image, list(packed[index]))  # writes the planes in place
    return torch.from_numpy(packed)
