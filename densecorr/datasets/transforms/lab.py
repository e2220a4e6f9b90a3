"""LAB colours of a clip, beside its frames."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from densecorr.datasets.transforms.base import ClipTransform
from densecorr.registry import TRANSFORMS

LAB = 'images_lab'
_WHITE = np.float32(255)


@TRANSFORMS.register_module()
class ClipToLab(ClipTransform):
    """OpenCV's float LAB of the frames; name the key to PackClip: ``keys``.

    Reads ``frames``, which stay as they are. Adds ``images_lab`` ``(t, 3, H, W)``
    float32: L in [0, 100], a and b about in [-127, 127]. Use it after the transforms
    that change frames.
    """

    def apply(self, sample: dict[str, Any]) -> dict[str, Any]:
        """Convert every frame.

        Raises:
            ValueError: the frames differ in size.
        """
        frames = self.frames(sample)
        if len({frame.shape for frame in frames}) > 1:
            raise ValueError(
                f'frames of {sample.get("video")!r} differ in size. Put ClipResize or '
                'ClipRandomResizedCrop before ClipToLab.'
            )
        height, width = self.frame_size(sample)
        images = np.empty((len(frames), 3, height, width), np.float32)
        for frame, planes in zip(frames, images, strict=True):
            pixels = frame.astype(np.float32) / _WHITE
            cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), list(planes))
        return {**sample, LAB: images}
