"""Result files as dense-ulearn-vos writes them, for users of its scripts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from densecorr.utils.files import write_atomic
from densecorr.utils.images import davis_palette, write_label_map

_IMAGE_SHARE = 0.3  # of the overlay, the rest is the colour; background is black
_COLOURED = 22  # ids with a colour of their own; grey above
_BRIGHT = (192, 191)  # the colour map has 191 where the bit rule gives 192


def dul_palette() -> np.ndarray:
    """Colours of DUL's overlays, ``(256, 3)`` uint8: grey from id 22 on."""
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    coloured = davis_palette()[:_COLOURED].copy()
    coloured[coloured == _BRIGHT[0]] = _BRIGHT[1]
    palette[:_COLOURED] = coloured
    return palette


class DULLayout:
    """Writes ``<layer>_vos/<sequence>/<frame>.png`` and ``<layer>_vis/...``.

    Args:
        out: folder that receives both.
        layer: name of the features, for example ``'res4'``.
        overlays: write the pictures under ``<layer>_vis``, too.

    Label maps are palette PNGs; the official ones are grey with the same indices.

    Reference:
        visinf/dense-ulearn-vos (88e5e35) ``infer_vos.py``.
    """

    def __init__(self, out: str | Path, layer: str, overlays: bool = True) -> None:
        self.labels = Path(out) / f'{layer}_vos'
        self.pictures = Path(out) / f'{layer}_vis' if overlays else None

    def paths(
        self, sequence: str, frame_names: Sequence[str], flagged: Sequence[str]
    ) -> list[Path]:
        """Files of a sequence of which the label maps ``flagged`` are written."""
        files = [self.labels / sequence / f'{name}.png' for name in flagged]
        if self.pictures is not None:
            files += [self.pictures / sequence / f'{name}.png' for name in frame_names]
        return files

    def write(
        self,
        sequence: str,
        frame_name: str,
        image: np.ndarray,
        label_map: np.ndarray,
        flagged: bool = True,
    ) -> None:
        """Write one frame.

        Args:
            sequence: name of the video.
            frame_name: stem of the image file.
            image: ``(H, W, 3)`` uint8 RGB.
            label_map: ``(H, W)`` uint8.
            flagged: whether the label map is written; the overlay always is.
        """
        name = Path(sequence) / f'{frame_name}.png'
        if flagged:
            write_label_map(self.labels / name, label_map, dul_palette())
        if self.pictures is not None:
            colours = dul_palette()[label_map].astype(np.float32)
            mixed = _IMAGE_SHARE * image + (1 - _IMAGE_SHARE) * colours
            buffer = io.BytesIO()
            Image.fromarray(mixed.astype(np.uint8)).save(buffer, 'PNG')
            write_atomic(self.pictures / name, buffer.getvalue())
