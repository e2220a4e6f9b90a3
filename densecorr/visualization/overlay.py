"""Label maps drawn over images."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from densecorr.utils.images import davis_palette

_QUALITY = 85  # of JPEG pictures in reports
_KEEP = 0.55  # share of the image under a label


def overlay(
    image: np.ndarray,
    label_map: np.ndarray,
    palette: np.ndarray | None = None,
    opacity: float = 1 - _KEEP,
) -> np.ndarray:
    """Tint the labelled pixels of an image and draw the border of each label.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        label_map: ``(H, W)`` integers, 0 = background, which stays as it is.
        palette: ``(256, 3)`` uint8 RGB; None is that of DAVIS.
        opacity: share of the colour inside a label, in [0, 1].

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ValueError: the sizes differ, or the opacity is outside [0, 1].
    """
    if image.shape[:2] != label_map.shape:
        raise ValueError(
            f'the image is {image.shape[:2]}, the label map {label_map.shape}; resize '
            'one of them (labels by nearest neighbour) before drawing.'
        )
    if not 0 <= opacity <= 1:
        raise ValueError(f'opacity should be in [0, 1], not {opacity}.')
    palette = davis_palette() if palette is None else palette
    colors = palette[label_map].astype(np.float32)  # (H, W, 3)
    tinted = np.rint((1 - opacity) * image + opacity * colors).astype(np.uint8)
    drawn = np.where(label_map[..., None] > 0, tinted, image)
    border = label_border(label_map)
    drawn[border] = palette[label_map[border]]
    return drawn


def label_border(label_map: np.ndarray) -> np.ndarray:
    """Labelled pixels that have another label next to them, bool ``(H, W)``."""
    edge = np.zeros(label_map.shape, bool)
    down = label_map[1:] != label_map[:-1]
    right = label_map[:, 1:] != label_map[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge & (label_map > 0)


def shrink(image: np.ndarray, max_width: int) -> np.ndarray:
    """``image`` at most ``max_width`` pixels wide, area-averaged; never enlarged."""
    height, width = image.shape[:2]
    if width <= max_width:
        return image
    size = (max_width, max(1, round(height * max_width / width)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def jpeg_uri(image: np.ndarray, quality: int = _QUALITY) -> str:
    """An RGB image as a ``data:`` address of a JPEG, for pages without other files.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        quality: of the JPEG, 0 to 100.
    """
    coded, data = cv2.imencode(
        '.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert coded  # every uint8 image can be encoded
    return f'data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}'
